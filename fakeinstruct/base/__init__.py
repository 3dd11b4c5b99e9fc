"""What every package stands on: errors, safe images, atomic files, boxes, configuration, surfaces."""
