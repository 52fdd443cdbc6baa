/** Learn: a training, its heads, before and after, and the next photos. */

export default {
  "A model learns from what you correct in a project. Make one, or open one, on the Label page.":
    "Ein Modell lernt aus dem, was Sie in einem Projekt berichtigen. Legen Sie auf der Seite „Labeln“ eines an, oder öffnen Sie eines.",

  // Training
  Training: "Training",
  "Only what you draw, erase or accept is learnt from, and there is nothing of it yet.":
    "Gelernt wird nur aus dem, was Sie zeichnen, löschen oder annehmen; davon gibt es noch nichts.",
  "Label photos": "Fotos labeln",
  "Keep learning": "Weiterlernen",
  "Each photo that you mark as done begins a training by itself": "Jedes Foto, das Sie fertig melden, beginnt von selbst ein Training",
  "Photos marked done show everything: what is not drawn is not there": "Fertige Fotos zeigen alles: Was nicht gezeichnet ist, ist nicht da",
  "Switch it off if you leave things out in photos that you mark as done": "Schalten Sie das aus, wenn Sie in fertigen Fotos manches auslassen",
  "Takes seconds to a few minutes; you can go on labelling, or close this page.":
    "Dauert Sekunden bis wenige Minuten; Sie können weiterlabeln oder die Seite schließen.",
  "With “Keep learning” each photo that you mark as done begins one by itself.": "Mit „Weiterlernen“ beginnt jedes fertige Foto von selbst eines.",
  "took {time}": "dauerte {time}",
  "{ran}, about {left} left": "{ran}, noch etwa {left}",
  "Stopping at the next step": "Hält beim nächsten Schritt an",
  "Done.": "Fertig.",
  "Cancelled.": "Abgebrochen.",
  "Failed.": "Misslungen.",
  "Ended unexpectedly.": "Unerwartet geendet.",
  loss: "Fehler",
  step: "Schritt",
  "Loss by step": "Fehler nach Schritten",
  "Loss from {from} to {to} at step {step}": "Fehler von {from} auf {to} bei Schritt {step}",

  // What there is to learn from
  "What there is to learn from": "Woraus gelernt wird",
  "{corrected} of {photos} photos corrected": "{corrected} von {photos} Fotos berichtigt",
  "none yet": "noch keines",
  "none of these": "nichts davon",

  // Before and after
  "Before and after": "Vorher und nachher",
  "Once a head is trained, a photo shows here as the model saw it before and as it sees it now.":
    "Ist ein Kopf trainiert, zeigt hier ein Foto, wie das Modell es vorher sah und wie es das jetzt sieht.",
  "Asking both heads": "Beide Köpfe werden gefragt",
  "Before: {name}": "Vorher: {name}",
  "After: {name}": "Nachher: {name}",
  "{share} of the pixels changed": "{share} der Bildpunkte anders",
  "held back, {share} of the pixels changed": "zurückgehalten, {share} der Bildpunkte anders",
  "Only what changed": "Nur was anders ist",
  "before up to {at} %, after from there on": "vorher bis {at} %, nachher ab da",
  "Share of the photo": "Anteil am Foto",
  "IoU with yours": "IoU mit Ihren",

  // Heads
  Heads: "Köpfe",
  "Heads and next photos": "Köpfe und nächste Fotos",
  "Head {id}": "Kopf {id}",
  "The head it began with": "Der Kopf vom Anfang",
  "Go back to it": "Zurück zu ihm",
  active: "aktiv",
  Activate: "Aktivieren",
  "its file is gone": "seine Datei ist weg",
  "There is no corrected photo yet that it has not seen, so no score.":
    "Noch gibt es kein berichtigtes Foto, das er nicht gesehen hat, also keine Note.",
  "held back": "zurückgehalten",
  "on {where} {which}": "auf {where}, {which}",
  "{n} class": "{n} Klasse",
  "{n} classes": "{n} Klassen",
  "Label the rest anew": "Den Rest neu labeln",
  "with the active head; your corrections stay": "mit dem aktiven Kopf; Ihre Berichtigungen bleiben",

  // Next photos
  "Label next": "Als Nächstes",
  by: "nach",
  "Rule of order": "Reihenfolge",
  "words corrected least": "seltenen Wörtern",
  "unlike what is corrected": "Unähnlichkeit",
  "two words nearly tie": "knappem Sieg",
  "many words compete": "vielen Anwärtern",
  "heads disagree": "Uneinigkeit der Köpfe",
  "at random": "Zufall",
  "Every photo is corrected, done or skipped.": "Jedes Foto ist berichtigt, fertig oder übersprungen.",
  "Click here first: {reason}": "Klicken Sie hier zuerst: {reason}",
  "Looking for the photos that teach most": "Sucht die Fotos, die am meisten lehren",
  "Encode them": "Einlesen",
  "{n} photo not encoded yet, so not in the order (about a second)": "{n} Foto ist noch nicht gelesen und fehlt in der Reihe (etwa eine Sekunde)",
  "{n} photos not encoded yet, so not in the order (about a second each)":
    "{n} Fotos sind noch nicht gelesen und fehlen in der Reihe (je etwa eine Sekunde)",
};
