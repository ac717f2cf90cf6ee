"""Programs that use Segue, to be read and run."""
