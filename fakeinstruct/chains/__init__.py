"""What annotators wrote: schema, taxonomy, chain sets on disk, importers, the sample set."""
