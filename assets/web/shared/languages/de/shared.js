/** What several pages say. */

export default {
  // Numbers and how far work is
  bytes: "Bytes",
  "{n} photo": "{n} Foto",
  "{n} photos": "{n} Fotos",
  "{n} pixel": "{n} Bildpunkt",
  "{n} pixels": "{n} Bildpunkte",
  "{what}: {done} of {all}": "{what}: {done} von {all}",
  "{what}: {done} of {all}, about {left} left": "{what}: {done} von {all}, noch etwa {left}",
  Starting: "Beginnt",

  // Words and buttons
  "Add photos": "Fotos hinzufügen",
  Cancel: "Abbrechen",
  Class: "Klasse",
  Compare: "Vergleichen",
  Name: "Name",
  "Next photo": "Nächstes Foto",
  "Photo before": "Voriges Foto",
  Project: "Projekt",
  Train: "Trainieren",
  "No project is open": "Kein Projekt ist offen",
  "Make or open a project": "Projekt anlegen oder öffnen",
  Space: "Leertaste",
  Ctrl: "Strg",
  Shift: "Umschalt",
  "“{name}”": "„{name}“",
  "The model does not know {names}": "Das Modell kennt {names} nicht",
  "It was taught English. What it finds for this word means little.": "Es hat Englisch gelernt. Was es zu diesem Wort findet, bedeutet wenig.",

  // Camera and drop
  "Camera picture": "Kamerabild",
  "Take the photo": "Aufnehmen",
  "No camera was found.": "Keine Kamera wurde gefunden.",
  "The camera may not be used; allow it in the browser.": "Die Kamera darf nicht benutzt werden; erlauben Sie es im Browser.",
  "The camera works on https and localhost addresses only.": "Die Kamera geht nur über https oder auf localhost.",
  "Several photos were dropped; the first one was opened.": "Mehrere Fotos wurden abgelegt; das erste ist offen.",
  "The server does not answer; see that it still runs, then try again.":
    "Der Server antwortet nicht; prüfen Sie, ob er noch läuft, und versuchen Sie es noch einmal.",
};
