"""Two detectors on the same images: which is better, and by more than chance?"""
