"""Numbers and models to pictures. Import from the modules: `options` does not load matplotlib."""
