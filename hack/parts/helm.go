package parts

import (
	"context"
	"path/filepath"
)

// helmModule is what hack/assets/helm pins.
const helmModule = "helm.sh/helm/v4"

func helm() source {
	return source{
		env: "HELM", onPath: true,
		folder: helmFolder,
		check:  since("version", 4, 0, 0),
		ways:   []way{{"built from its Go module", stageHelm}},
	}
}

func helmFolder() (string, error) {
	version, err := pinned("helm", helmModule)
	if err != nil {
		return "", err
	}
	return filepath.Join("helm", version[1:]+"-"+platform()), nil
}

func stageHelm(ctx context.Context, p Part, dir string) error {
	version, err := pinned("helm", helmModule)
	if err != nil {
		return err
	}
	return compile(ctx, p, dir, " -X "+helmModule+"/internal/version.version="+version)
}
