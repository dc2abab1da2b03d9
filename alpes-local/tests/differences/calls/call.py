"""One call."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    """One call. `about` tells apart the calls of one operation."""

    service: str
    operation: str
    about: str
    parameters: dict[str, Any] = field(default_factory=dict)
    keep: dict[str, str] = field(default_factory=dict)
    """Values to keep for later calls: a name, and where in the answer the value is (JMESPath)."""
    until: str = ""
    """The call is repeated until this is true of its answer (JMESPath), for at most 20 seconds."""
    is_unordered: bool = False
    """Whether lists in the answer have no order."""

    @property
    def action(self) -> str:
        return f"{self.service}.{self.operation}"

    @property
    def name(self) -> str:
        return f"{self.action}: {self.about}"
