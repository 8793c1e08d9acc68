"""Why a client's request is not done."""


class Refusal(Exception):
    """The text is for the person at the browser, and names the remedy where there is one."""
