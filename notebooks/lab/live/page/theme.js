// Switches between the system's colours, light and dark.

const CHOICES = ["system", "light", "dark"];
const KEY = "lab-live-theme";

export function startTheme(button) {
  let choice = read();
  show();
  button.addEventListener("click", () => {
    choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length];
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // a browser without storage forgets the choice
    }
    show();
  });

  function show() {
    document.documentElement.dataset.theme = choice;
    button.textContent = `Theme: ${choice}`;
    document.dispatchEvent(new Event("themechange"));
  }
}

function read() {
  try {
    const kept = localStorage.getItem(KEY);
    return CHOICES.includes(kept) ? kept : CHOICES[0];
  } catch {
    return CHOICES[0];
  }
}
