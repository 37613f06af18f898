"""The explorer: one HTML page, without a network, for every setting of a study."""

from slmroute_plugin.analysis.page.write import write_page

__all__ = ["write_page"]
