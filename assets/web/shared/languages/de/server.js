/** Sentences of the server; `{name}` stands for what it names, and `{what}` for another of its sentences. */

export default {
  // States of a photo, and what a review said
  new: "neu",
  "pseudo-labelled": "vorgelabelt",
  "in work": "in Arbeit",
  done: "fertig",
  skipped: "übersprungen",
  reviewed: "geprüft",
  returned: "zurückgegeben",

  // Work in the background
  "Adding photos": "Fotos kommen hinzu",
  Checking: "Wird geprüft",
  Importing: "Wird importiert",
  Exporting: "Wird exportiert",
  "Encoding photos": "Fotos werden gelesen",
  "Labelling photos": "Fotos werden gelabelt",
  "Labelling photos with the active head": "Fotos werden mit dem aktiven Kopf gelabelt",
  "Stopped; nothing was changed.": "Angehalten; nichts wurde geändert.",
  "Stopped after {done} of {all}; those that are labelled stay.": "Angehalten nach {done} von {all}; was gelabelt ist, bleibt.",
  "{what} is still going on; wait for it, or stop it.": "„{what}“ läuft noch; warten Sie darauf, oder halten Sie es an.",
  "{what} ended unexpectedly; the server's log says why.": "„{what}“ endete unerwartet; warum, steht im Protokoll des Servers.",

  // Trainings, heads, next photos
  Starting: "Beginnt",
  "Learning, step {step} of {steps}": "Lernt, Schritt {step} von {steps}",
  "{what} {name} ({n} of {all})": "{what} {name} ({n} von {all})",
  Reading: "Liest",
  Encoding: "Liest",
  "Checking what it has not seen, part {n} of {all}": "Prüfung an Ungesehenem, Teil {n} von {all}",
  "Comparing on photos that it has not seen": "Vergleich auf Fotos, die er nicht gesehen hat",
  "Stopped; the head that was active stays active.": "Angehalten; der bisherige Kopf bleibt aktiv.",
  "held back": "zurückgehalten",
  "left out in turn": "reihum ausgelassen",
  "the head it began with": "der Kopf vom Anfang",
  "head {id}": "Kopf {id}",
  "drawn by lot": "zufällig gezogen",
  "{first} or {second}? They are close here": "{first} oder {second}? Hier liegen sie nahe beieinander",
  "unsure over many words ({share} % of the greatest entropy)": "unsicher über viele Wörter ({share} % der größten Entropie)",
  "the last two heads differ on {share} % of it": "die letzten beiden Köpfe sind sich bei {share} % uneins",
  "unlike what is corrected (likeness {near})": "unähnlich dem, was berichtigt ist (Ähnlichkeit {near})",
  "may show {name}, in {what} so far": "zeigt vielleicht {name}, bisher auf {what}",
  "no corrected photos": "keinem berichtigten Foto",
  "1 corrected photo": "1 berichtigten Foto",
  "{n} corrected photos": "{n} berichtigten Fotos",
  "the region the model is least certain of ({size} of the photo)": "die Region, bei der das Modell am unsichersten ist ({size} des Fotos)",
  "A training is running already; wait for it, or cancel it.": "Ein Training läuft schon; warten Sie darauf, oder brechen Sie es ab.",
  "There is no head to compare yet; train one.": "Noch gibt es keinen Kopf zum Vergleichen; trainieren Sie einen.",

  // Photos and projects
  "Give at least one word, for example: cat; kitten, sofa, wall.": "Geben Sie mindestens ein Wort, zum Beispiel: cat; kitten, sofa, wall.",
  "Name a folder of this computer.": "Nennen Sie einen Ordner dieses Rechners.",
  "There is no folder {place}.": "Den Ordner {place} gibt es nicht.",
  "The folder {place} is not empty; a project wants a folder of its own.": "Der Ordner {place} ist nicht leer; ein Projekt braucht einen eigenen.",
  "There is a project in {where} already; open it, or choose another place.":
    "In {where} ist schon ein Projekt; öffnen Sie es, oder wählen Sie einen anderen Ort.",
  "There are no photos in it; they end in {suffixes}.": "Darin sind keine Fotos; sie enden auf {suffixes}.",
  "{name} is empty (0 bytes).": "{name} ist leer (0 Bytes).",
  "{name} is damaged or cut short and cannot be read.": "{name} ist beschädigt oder unvollständig und nicht lesbar.",
  "{name} is too large; make it smaller first.": "{name} ist zu groß; verkleinern Sie es erst.",
  "The page sent something that is not understood; reload it.": "Die Seite hat etwas Unverständliches geschickt; laden Sie sie neu.",
  "This project is here to be looked at; nothing in it can be changed.": "Dieses Projekt ist zum Ansehen da; nichts darin ist änderbar.",
  "Another project is open here now; open this page's project again, or reload.":
    "Hier ist jetzt ein anderes Projekt offen; öffnen Sie das dieser Seite wieder, oder laden Sie neu.",
  "The project of this page is not open here; open it again, or reload the page.":
    "Das Projekt dieser Seite ist hier nicht offen; öffnen Sie es wieder, oder laden Sie die Seite neu.",
  "Many photos are waiting for the encoder; try again in a minute.":
    "Viele Fotos warten darauf, gelesen zu werden; versuchen Sie es in einer Minute noch einmal.",
  "The page sent no upload; choose the files again.": "Die Seite hat nichts hochgeladen; wählen Sie die Dateien noch einmal.",
  "The files are not here any more; choose them again.": "Die Dateien sind nicht mehr hier; wählen Sie sie noch einmal.",
  "The files are larger than {size} together; use the command line.": "Die Dateien sind zusammen größer als {size}; nehmen Sie die Befehlszeile.",

  // Films
  "This photo is no frame of a film; textseg film add takes one in.": "Dieses Foto ist kein Bild eines Films; textseg film add nimmt einen auf.",
  "This is the last frame of {film}.": "Das ist das letzte Bild von {film}.",
  "This frame has no labels yet; label it, then carry them on.": "Dieses Bild hat noch keine Labels; labeln Sie es, dann tragen Sie sie weiter.",

  // Formats
  "Polygons instead of masks": "Polygone statt Masken",
  "Id 0 is the class": "Nummer 0 ist die Klasse",
  unlabelled: "ungelabelt",
  objects: "Objekte",
  "objects (each class of a photo is one annotation)": "Objekte (jede Klasse eines Fotos ist eine Annotation)",
  "objects (each class of a photo is one segment)": "Objekte (jede Klasse eines Fotos ist ein Segment)",
  "objects (no SegmentationObject)": "Objekte (kein SegmentationObject)",
  "holes (such regions are cut into pieces)": "Löcher (solche Regionen werden zerteilt)",
  confidence: "Sicherheit",
  provenance: "Herkunft",
  "class colours": "Farben der Klassen",
  "class ids and colours": "Nummern und Farben der Klassen",
  "class ids (renumbered from 1)": "Nummern der Klassen (ab 1 neu gezählt)",
  "more than 254 classes": "mehr als 254 Klassen",
  "{unlabelled} of the {photos} photos have no labels in this export.": "{unlabelled} der {photos} Fotos haben in diesem Export keine Labels.",
  "{together} photos look like another one; look-alikes are in the same split.": "{together} Fotos ähneln einem anderen; ähnliche bleiben zusammen.",
  "Recognised as {title} by {shown}.": "Erkannt als {title} an {shown}.",
  "Annotations overlap: a label map holds one class a pixel, the smaller one is seen.":
    "Annotationen überlappen: Ein Bildpunkt hat eine Klasse, die kleinere ist zu sehen.",
};
