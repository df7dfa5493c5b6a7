"""codesign package."""
