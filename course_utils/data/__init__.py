"""What gets pictures onto the disk: sources, downloads, archives, preparation, the data command."""
