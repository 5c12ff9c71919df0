import { defineConfig } from "vite";

export default defineConfig({
  // the tokens come from `python -m good_server.client.example`, as they would from your login
  server: { proxy: { "/dev": "http://127.0.0.1:8020" } },
  build: { target: "es2022" },
});
