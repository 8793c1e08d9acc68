"""Old CSV files into the store, straight: no relay runs for it, and one may run beside it."""
