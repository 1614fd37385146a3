"""Files in other file systems: those of Beam (s3, gs, hdfs) and those of fsspec."""
