"""Between processes: who carries what is published, numbers it and keeps its history."""
