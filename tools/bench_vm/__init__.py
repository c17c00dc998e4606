"""The bench VM: real BlueZ over virtual radios, on a machine that has none."""
