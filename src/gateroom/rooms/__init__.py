"""What users may do: rooms, members, the policy that judges, the directory of use cases."""
