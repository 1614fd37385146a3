"""The base DoFn of steps, tracking of elements, and storage of PCollections."""
