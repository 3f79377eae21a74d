"""Every name that the outside world sees: group, kinds, annotations, labels, subsets."""

GROUP = "canary.rollouts.dev"
VERSION = "v1beta1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "CanaryRelease"
PLURAL = "canaryreleases"
SINGULAR = "canaryrelease"
SHORT_NAME = "crel"
CATEGORY = "delivery"

MANAGER = "istio-canary-operator"
"""Field manager, user agent, event source, and the value of `app.kubernetes.io/managed-by`."""

# Never a key that contains `istio.io`: each change of such a key makes istiod push to every proxy.
FINALIZER = f"{GROUP}/route"
MARK = f"{GROUP}/mark"
"""On an object that is ours. One of the user's carries a mark per CanaryRelease: `traffic/mark.py`."""
USERS_MARK = f"mark.{GROUP}/"
"""How the keys of those marks begin; the name of the CanaryRelease follows."""
ACTION = f"{GROUP}/action"
OWNER = f"{GROUP}/release"
"""Label on objects that the operator created: the name of their CanaryRelease."""

TOUCHED_BY = "touchedBy"
"""In the metadata of a routing object as the cache keeps it: the field manager that wrote it last, if that was somebody else."""
MANAGED_BY = "app.kubernetes.io/managed-by"

STABLE = "stable"
CANARY = "canary"
"""The two subsets. They are fixed: a release changes their labels, never their names."""

ROUTE = "canary-release"
"""The name of the HTTP route with the weights in a VirtualService that the operator owns."""
MESH_ROUTE = "canary-release-mesh"
"""The same for callers in the mesh, where gateways have a route of their own: they call a port, a gateway must be told one."""
ROUTES = (MESH_ROUTE, ROUTE)
"""All routes with weights, in their order; the first is there only beside the second."""
PREVIEW = "canary-preview"
"""The name of the HTTP route before `ROUTE`, for requests that always see the canary."""
MESH_PREVIEW = "canary-preview-mesh"
"""The same before `MESH_ROUTE`."""
PREVIEWS = (MESH_PREVIEW, PREVIEW)
"""All routes of a preview, in their order."""

DESCRIPTION = (
    "Moves the traffic of one Service to a new version step by step through Istio, and back when the new version fails more often."
)
"""The first line of `kubectl explain canaryrelease`."""
