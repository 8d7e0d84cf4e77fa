"""Response of `/ledger`."""

from datetime import datetime

from pydantic import BaseModel, Field


class LedgerSums(BaseModel):
    """Messages and readings by outcome."""

    messages_received: int
    messages_accepted: int
    messages_partly_accepted: int
    messages_rejected: int
    messages_unknown_sensor: int
    readings_received: int
    readings_stored: int
    readings_duplicate: int
    readings_corrected: int
    readings_rejected: int
    readings_expected: int = Field(
        description="of all outputs while they were installed, up to now"
    )
    readings_late: int = Field(
        description="of those stored, duplicate or corrected: older than a day when "
        "they came, or what the operator sets"
    )
    readings_overlapping: int = Field(
        description="of those stored, duplicate or corrected: shared more than 5 % of "
        "their time with others of their channel when they came; no second counts twice"
    )
    sequence_lost: int = Field(
        description="messages that sequence numbers say were sent and did not come; "
        "negative where more came late than were missed"
    )


class LedgerRow(LedgerSums):
    """Outcomes of a sensor's messages of an hour."""

    municipality: str | None = Field(description="null for no known sensor")
    sensor: str | None
    hour: datetime = Field(description="of reception, UTC")
    last_received_at: datetime | None = Field(description="null where nothing came")
    rejects: dict[str, int] = Field(
        description="messages rejected, partly accepted or of nobody known, by reason"
    )
    fields_dropped: dict[str, int] = Field(
        description="fields left out of readings that are stored without them, such as "
        "a speed of -1, by name and what was wrong: below, above or wrong"
    )


class Balance(BaseModel):
    """Received minus all outcomes: zero if nothing was lost."""

    messages: int
    readings: int


class Ledger(BaseModel):
    """The ledger of a period."""

    from_: datetime = Field(serialization_alias="from")
    to: datetime
    sums: LedgerSums
    balance: Balance
    rows: list[LedgerRow]
