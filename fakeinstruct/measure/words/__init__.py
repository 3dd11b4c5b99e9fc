"""What an expert wrote, measured beside what annotators wrote."""
