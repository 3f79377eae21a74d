"""What each finding means, and what to do, for the runbook. The finding's own message names the object and the very line."""

from canary_operator.preflight import finding

BLOCKS, WARNS, EITHER = "blocks", "warns", "blocks or warns"

MEANING: dict[str, tuple[str, str, str]] = {
    finding.CONFLICT: (BLOCKS, "An older CanaryRelease moves the traffic of the same Service.", "Delete one of the two."),
    finding.SERVICE_MISSING: (BLOCKS, "The Service does not exist.", "Create it, or correct `spec.service.name`."),
    finding.SERVICE_NOT_ROUTABLE: (
        BLOCKS,
        "The Service is headless or an ExternalName, where weights do not hold.",
        "Use a plain Service.",
    ),
    finding.SERVICE_PUBLISHES_NOT_READY: (
        BLOCKS,
        "The Service sends to pods that are not ready, so nobody can tell whether a version serves.",
        "Take `publishNotReadyAddresses: true` out of it.",
    ),
    finding.SERVICE_SELECTOR_EMPTY: (BLOCKS, "The Service has no selector.", "Write labels that the pods of all versions share."),
    finding.SERVICE_SELECTS_ONE_VERSION: (BLOCKS, "The Service's selector holds the version label.", "Take it out."),
    finding.SERVICE_SELECTS_NO_POD: (
        BLOCKS,
        "The Service's selector does not match the pods of the wanted version, so its subset would be empty.",
        "Correct the pod labels, or the selector.",
    ),
    finding.SERVICE_OVERLAPS: (WARNS, "Another Service selects the same pods.", "Let callers use the Service of the release."),
    finding.SERVICE_PORT_UNKNOWN: (BLOCKS, "The port is not one of the Service's, or nobody says which.", "Write `spec.service.port`."),
    finding.PORT_NOT_HTTP: (BLOCKS, "The port is not HTTP or gRPC for Istio.", "Write `appProtocol` on the Service's port."),
    finding.PORT_SNIFFED: (WARNS, "The port names no protocol; proxies guess.", "Write `appProtocol` on the Service's port."),
    finding.GRPC_PORT_NOT_NAMED: (BLOCKS, "The pods speak gRPC on a port that the Service calls http.", "Write `appProtocol: grpc`."),
    finding.TARGET_PORT_UNKNOWN: (BLOCKS, "The Service's target port is a name that the pods do not have.", "Correct `targetPort`."),
    finding.TARGET_PORT_UNDECLARED: (WARNS, "No container declares the target port.", "Correct `targetPort` if nothing listens there."),
    finding.VERSION_LABEL_MISSING: (
        EITHER,
        "Pods of the Service carry no version label, so no subset has them; it only warns once traffic moves.",
        "Label the pods.",
    ),
    finding.ENDPOINT_WITHOUT_VERSION: (
        EITHER,
        "A ready endpoint of the Service belongs to no version, or nobody may know; it only warns once traffic moves.",
        "Label the pod, or take it out of the Service, or grant `list pods`, as the message says.",
    ),
    finding.WORKLOAD_ENTRY_SELECTED: (
        EITHER,
        "The Service selects a WorkloadEntry (a virtual machine, say), which the operator does not count as it counts pods. It blocks where requests "
        "would not reach it any more, and warns where it serves as stable or canary.",
        "Give it the version label, name the stable version, or take it out of the Service, as the message says.",
    ),
    finding.APP_LABEL_MISSING: (WARNS, "Pods carry no `app` label.", "Label the pods."),
    finding.WORKLOAD_SHARED: (
        BLOCKS,
        "One Deployment, or another workload, runs both versions, so telemetry cannot tell them apart.",
        "Deploy the new version as a Deployment of its own.",
    ),
    finding.ISTIO_MISSING: (BLOCKS, "Istio's kinds are not installed.", "Install Istio 1.22 or newer."),
    finding.CLUSTER_DOMAIN_WRONG: (
        BLOCKS,
        "The pods' proxies know Services under another domain than the operator writes.",
        "Write `clusterDomain` into the operator's configuration.",
    ),
    finding.VALIDATION_OFF: (WARNS, "Istio's validating webhook is missing or lets everything pass.", "See whether istiod runs."),
    finding.NOT_PERMITTED: (WARNS, "The operator may not read something, which stays unchecked.", "Grant the right, or check by hand."),
    finding.NOT_INJECTED: (
        EITHER,
        "New pods get no sidecar; it blocks unless all pods that run have one.",
        "Label the namespace or the pods as the message says, then restart them.",
    ),
    finding.SIDECAR_MISSING: (BLOCKS, "A pod that runs has no sidecar, though a new one would get it.", "Restart the Deployment."),
    finding.HOST_NETWORK: (BLOCKS, "Pods on the node's network get no sidecar.", "Take `hostNetwork` out."),
    finding.REVISION_UNKNOWN: (BLOCKS, "The namespace asks for an Istio revision that nobody serves.", "Correct the label."),
    finding.SEVERAL_INJECTION_LABELS: (WARNS, "The namespace carries several labels for injection.", "Take all but one off."),
    finding.WAYPOINT_MISSING: (BLOCKS, "An ambient Service without a waypoint: weights have no effect.", "Apply a waypoint."),
    finding.WAYPOINT_ALPHA: (WARNS, "VirtualServices at waypoints are alpha.", "Try it elsewhere first, or use sidecars."),
    finding.NAME_TAKEN: (BLOCKS, "An object of the user has the name that ours would have.", "Rename or delete it."),
    finding.HOST_TAKEN: (
        EITHER,
        "Another VirtualService rules the host. One of another namespace only warns if it is younger than ours, or holds for its own callers alone.",
        "Delete it; write what is still needed into ours.",
    ),
    finding.HOST_COVERED: (WARNS, "A VirtualService with a wildcard loses the host to ours.", "Write what it does for the host into ours."),
    finding.ROUTE_BYPASSES_SUBSETS: (
        WARNS,
        "A route elsewhere goes past the weights.",
        "Let the release manage it, as the message says. With `subset: stable` its requests meet the new version only at the end, all at once.",
    ),
    finding.ROUTE_NOT_MANAGED: (
        WARNS,
        "A route elsewhere sends to the subset `stable`: nobody judges what the new version does to its requests, and they count as stable's.",
        "Let the release manage it (`spec.traffic.attach`, or hosts and gateways of `spec.traffic.owned`).",
    ),
    finding.SUBSET_MISSING: (
        EITHER,
        "A route names a subset of the host that no DestinationRule has; it only warns for a VirtualService of another namespace.",
        "Correct the route.",
    ),
    finding.SUBSET_TAKEN: (
        BLOCKS,
        "The user's DestinationRule has a subset `stable` or `canary` with labels of its own, which routes may name.",
        "Give the subset another name, or the labels that the message shows.",
    ),
    finding.RULE_TAKEN: (
        BLOCKS,
        "Several DestinationRules of the namespace rule the host, or the one that does belongs to another CanaryRelease.",
        "Leave one: the operator adds its two subsets and keeps the rest.",
    ),
    finding.ROUTE_MISSING: (
        BLOCKS,
        "An attached VirtualService or its route does not exist, or nobody says which route is meant.",
        "Create it, or correct `spec.traffic.attach`.",
    ),
    finding.ROUTE_NOT_HTTP: (
        BLOCKS,
        "The attached VirtualService has TLS or TCP routes, whose weights hold for whole connections.",
        "Attach HTTP routes.",
    ),
    finding.ROUTE_UNFIT: (
        BLOCKS,
        "An attached route does not lead to exactly the two subsets.",
        "Write the two destinations that the message shows.",
    ),
    finding.ROOT_MISSING: (
        BLOCKS,
        "No VirtualService delegates to the operator's.",
        "Write `delegate` into the one that has hosts and gateways, as the message shows.",
    ),
    finding.PORTS_CROSSED: (
        EITHER,
        "A route answers requests to one port of the Service by the server of another; in a route of the user's it only warns.",
        "Write the port, or leave it out, as the message says.",
    ),
    finding.POLICY_SHADOWED: (
        EITHER,
        "A broader DestinationRule would be hidden by ours; or one of another namespace hides our subsets from its own callers, which blocks "
        "only before the first route, where callers are known, and at a gateway of the release.",
        "Write the policy into the release's DestinationRule, or narrow the broader one.",
    ),
    finding.RULE_NOT_FOR_ALL: (
        EITHER,
        "A DestinationRule with a `workloadSelector` rules the host for some callers of the namespace, who do not know the subsets; it blocks only "
        "before the first route, where callers are known.",
        "Take `workloadSelector` out.",
    ),
    finding.EJECTION_OF_ALL: (WARNS, "Outlier detection may eject every pod of a version.", "Lower `maxEjectionPercent`."),
    finding.MTLS_CONFLICT: (
        BLOCKS,
        "PeerAuthentication and DestinationRule contradict each other.",
        "Take `tls` out of the DestinationRule.",
    ),
    finding.GATEWAY_MISSING: (BLOCKS, "A gateway that the spec names does not exist.", "Create it, or correct the spec."),
    finding.GATEWAY_HOST_MISSING: (BLOCKS, "A gateway serves none of the hosts.", "Add the host to the Gateway, or correct the spec."),
    finding.GATEWAY_WITHOUT_PODS: (WARNS, "A Gateway's selector finds no ready pod.", "Correct the selector, or look at the pods."),
    finding.GATEWAY_UNUSED: (WARNS, "Nothing comes through a gateway.", "Add the hosts that callers send."),
    finding.MESH_BYPASSED: (WARNS, "Callers inside the mesh go past the weights.", "Write `mesh` into the gateways too."),
    finding.NOT_EXPORTED: (
        BLOCKS,
        "Callers that see the Service do not see a route or the subsets; at rest it only warns.",
        "Write the `exportTo` that the message shows, or export the Service to fewer.",
    ),
    finding.MESH_CONFIG_UNKNOWN: (
        WARNS,
        "The mesh config cannot be read, so default exports are unknown.",
        "Name its ConfigMap in the operator's configuration.",
    ),
    finding.SIDECAR_HIDES_HOST: (WARNS, "A Sidecar hides the host from callers.", "Add the host to its egress."),
    finding.PROVIDER_UNKNOWN: (
        EITHER,
        "`spec.analysis.prometheus` names a provider that the operator's configuration lacks; it only warns at rest and once traffic moves.",
        "Write a provider that the message lists, or add it to the configuration.",
    ),
    finding.TELEMETRY_MISSING: (WARNS, "No request to the Service was counted lately.", "See whether it is called, and scraped."),
    finding.SEVERAL_CLUSTERS: (
        WARNS,
        "Requests come from, or go to, other clusters, whose callers do not see our VirtualService.",
        "Apply it there too, or compare what is seen of them.",
    ),
    finding.CALLERS_OUTSIDE_MESH: (WARNS, "Requests from outside the mesh ignore the weights.", "Inject the callers."),
    finding.RETRIES_HIDE_FAILURES: (WARNS, "Retries hide failures from the callers' telemetry.", "Narrow `retries.retryOn`."),
}
"""Per reason: whether it blocks, what it means, what to do."""
