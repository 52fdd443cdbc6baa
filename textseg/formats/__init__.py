"""In and out: every format that neighbour tools read. One file a format, both directions.

    report = formats.export(project, "coco", "out", split={"train": 0.8, "val": 0.2})
    report = formats.import_("out", "coco", project, merge="unlabelled", dry_run=True)

A format is a class with `@register("name")`: `write(export)` puts photos and label maps into a folder, `read(source)`
tells which photos, classes and label maps a folder holds. What is common to all of them is here once: which photos and
pixels leave, names that every file system takes, the split, atomic writing; checking everything before anything is
taken in, matching photos and classes, the merge rule, the transaction. Formats see label maps only as arrays.
"""

from textseg.formats.exporting import Export, ExportReport, Item, export
from textseg.formats.importing import ImportReport, import_
from textseg.formats.incoming import Category, Entry, Incoming
from textseg.formats.recognition import recognise
from textseg.formats.registry import Format, get, names, readable, register
from textseg.formats.source import Source
from textseg.formats.splits import parse_split

__all__ = [
    "Category", "Entry", "Export", "ExportReport", "Format", "ImportReport", "Incoming", "Item", "Source", "export",
    "get", "import_", "names", "parse_split", "readable", "recognise", "register",
]  # fmt: skip
