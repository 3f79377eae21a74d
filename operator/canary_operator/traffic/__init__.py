"""How Istio says it: documents in, documents out. Pure; knows weights and subsets, never why they change."""
