"""Pins bleak to the adapter named by HW_FOREIGN_ADAPTER, such as hci1.

bleak takes the first powered adapter; Python imports this module by itself
when its folder is on PYTHONPATH.
"""

import os

if adapter := os.environ.get("HW_FOREIGN_ADAPTER"):
    from bleak.backends.bluezdbus.manager import BlueZManager

    BlueZManager.get_default_adapter = lambda manager: f"/org/bluez/{adapter}"
