// What to look for in each arrangement, and what to try. The answer is the reader's.

export const TRIALS = {
  "01": [
    "Ben's phone changes networks again and again. What does each server keep of him?",
    "select Ben's tab, pull the plug and come back, three times. Then let Ana send to Ben, and see where it goes.",
  ],
  "02": [
    "Ana asks for a long report, and her connection drops before it is ready. Where does the result go?",
    "ask for a report, pull the plug, come back, then let the job finish.",
  ],
  "03": [
    "Ben's connection drops, and his client reconnects by itself. Does he still get messages?",
    "send to Ben. Select Ben's tab, pull the plug, come back. Let Ana send to Ben again.",
  ],
  "04": [
    "Ben closes one of his two tabs; later both servers crash. Who still receives the room's messages?",
    "close ben/2, then let Ana send to job:17. Then kill the servers, close eva/1 while they are down, and restart them.",
  ],
  "05": [
    "Ben closes one of his two tabs. Is he online?",
    "close ben/2, compare what the server says with the tabs that are open, then let Ana send to Ben.",
  ],
  "06": [
    "Drivers report where they are. Who receives it, who needed it, and how does it grow?",
    "let Dan report a position, then every driver. Add clients, let every driver report again, and compare the two curves.",
  ],
  "07": [
    "Ben opens a second tab. What happens to the first one?",
    "open a second tab of Ben, watch both for a few seconds, then let Ana send to Ben.",
  ],
  "08": [
    "A stranger with a valid token names rooms that are not his. What does he read?",
    "join a room of somebody else, then let the others write to each other.",
  ],
  "09": [
    "One user asks for a heavy report. What do all the others feel?",
    "start a report, and watch the clock hand and the answers. Then let the bad server work in a thread, in slices, in a process.",
  ],
  "10": [
    "One client sends as fast as it can. Who stops it, and is an honest burst stopped too?",
    "start a flood, then an honest burst, then invent rooms; compare what each server accepts.",
  ],
};
