"""Bytes to records: lines, objects that lie otherwise, and how deep a record may nest."""

from commonwatch.ingest.framing.cutting import Framer, Frames, Layout, layout_of, sample

__all__ = ["Framer", "Frames", "Layout", "layout_of", "sample"]
