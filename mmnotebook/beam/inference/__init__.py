"""Model inference: batches, calls, metering, and checks of predictions."""
