// The NIfTI library is linked, not built: this file gives the target a source.
