package v1alpha1_test

import "strings"

// rotationRules are the rules of a Rotation that stands in place of ROTATION.
func rotationRules(manifest, kind, at string) []rule {
	in := func(rotations map[string]string) map[string]string {
		all := map[string]string{}
		for what, rotation := range rotations {
			all[what] = strings.ReplaceAll(manifest, "ROTATION", rotation)
		}
		return all
	}
	return []rule{
		{
			kind: kind, at: at + ".overlap", says: "overlap must be shorter than interval",
			accepted: in(map[string]string{
				"shorter":      "{interval: 1h, overlap: 59m}",
				"none":         "{interval: 10m, overlap: 0s}",
				"no interval":  "{overlap: 8760h}",
				"no overlap":   "{interval: 10m}",
				"nearly equal": "{interval: 1h, overlap: 59m59s999ms}",
			}),
			refused: in(map[string]string{
				"as long": "{interval: 1h, overlap: 60m}",
				"longer":  "{interval: 1h, overlap: 2h}",
			}),
		},
		{
			kind: kind, at: at + ".interval", says: "must be from 10m to 87600h",
			accepted: in(manifests("{interval: NAME}", map[string]string{"10m": "10m", "600s": "600s", "a month": "720h", "87600h": "87600h"})),
			refused:  in(manifests("{interval: NAME}", map[string]string{"0s": "0s", "9m59s": "9m59s", "87601h": "87601h", "the longest": "99999h99999h99999h99999h"})),
		},
		{
			kind: kind, at: at + ".overlap", says: "must be from 0s to 8760h",
			accepted: in(manifests("{overlap: NAME}", map[string]string{"0s": "0s", "1ms": "1ms", "a day": "24h", "8760h": "8760h"})),
			refused:  in(manifests("{overlap: NAME}", map[string]string{"8760h1ms": "8760h1ms", "8761h": "8761h", "the longest": "99999h99999h99999h99999h"})),
		},
	}
}

const aHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

var existingKeyRules = []rule{
	{
		kind: apiKey, at: "spec.existingKey", says: "exactly one of secretKeyRef and sha256 must be set",
		accepted: map[string]string{
			"a Secret": "existingKey: {secretKeyRef: {name: old, key: token}}",
			"a hash":   "existingKey: {sha256: " + aHash + "}",
		},
		refused: map[string]string{
			"none": "existingKey: {}",
			"both": "existingKey: {secretKeyRef: {name: old, key: token}, sha256: " + aHash + "}",
		},
	},
	{
		kind: apiKey, at: "spec.secret.deleteAfter", says: "must be from 1m to 8760h",
		accepted: manifests("secret: {deleteAfter: NAME}", map[string]string{"1m": "1m", "60s": "60s", "8760h": "8760h"}),
		refused:  manifests("secret: {deleteAfter: NAME}", map[string]string{"0s": "0s", "59s": "59s", "8761h": "8761h"}),
	},
	{
		kind: protectedAPI, at: "spec.keyLimits.maxRotationInterval", says: "must be from 10m to 87600h",
		accepted: manifests("keyLimits: {maxRotationInterval: NAME}", map[string]string{"10m": "10m", "87600h": "87600h"}),
		refused:  manifests("keyLimits: {maxRotationInterval: NAME}", map[string]string{"9m59s": "9m59s", "87601h": "87601h"}),
	},
}
