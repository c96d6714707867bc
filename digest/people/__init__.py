"""What people ask of us and operators do for them, beyond consent itself: requests, dossiers, lists, numbers."""
