"""What can go wrong at the border, in our words. Foreign exceptions are the `__cause__`; no message holds a credential."""


class CanaryOperatorError(Exception):
    """Anything that this operator raises on purpose."""


class ClusterError(CanaryOperatorError):
    """The Kubernetes API did not do what was asked."""


class NotFound(ClusterError):
    """The object, or its kind, does not exist."""


class Conflict(ClusterError):
    """The object has changed since it was read: read it again and decide anew."""


class AlreadyExists(Conflict):
    """An object of this name exists already."""


class Forbidden(ClusterError):
    """The operator lacks the right."""


class Unauthorized(Forbidden):
    """The API does not know the operator: its credentials are missing, wrong or expired."""


class NotLeading(ClusterError):
    """Another replica may be at work: nothing was sent."""


class Invalid(ClusterError):
    """Schema, webhook or policy refuse the document, by whatever status code; sending it again is of no use."""


class WebhookUnavailable(ClusterError):
    """An admission webhook that must be asked did not answer, so the write was not done. Of Istio's kinds it is istiod's own."""


class TooManyRequests(ClusterError):
    """The API asks for patience."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds to wait at least."""


class Unavailable(ClusterError):
    """The API broke down, or did not answer in time. Whether a write was done is unknown: read before believing either."""
