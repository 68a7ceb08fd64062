package certificates

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// files writes the certificate of a Secret into files as soon as it changes: kubelet
// would take a minute to update a mounted one, in which the API server trusted
// another CA already.
type files struct {
	secret types.NamespacedName
	dir    string
	cache  cache.Cache
}

// addTo has a manager run it on every replica.
func (f *files) addTo(m ctrl.Manager) error {
	var err error
	f.cache, err = cache.New(m.GetConfig(), cache.Options{
		Scheme: m.GetScheme(), Mapper: m.GetRESTMapper(), HTTPClient: m.GetHTTPClient(),
		ByObject: map[client.Object]cache.ByObject{&corev1.Secret{}: {
			Namespaces: map[string]cache.Config{f.secret.Namespace: {}},
			Field:      fields.OneTermEqualSelector("metadata.name", f.secret.Name),
		}},
	})
	if err != nil {
		return err
	}
	return m.Add(f)
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*files) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable.
func (f *files) Start(ctx context.Context) error {
	informer, err := f.cache.GetInformer(ctx, &corev1.Secret{}, cache.BlockUntilSynced(false))
	if err != nil {
		return err
	}
	log := ctrl.LoggerFrom(ctx).WithValues("secret", f.secret)
	write := func(o any) {
		s, ok := o.(*corev1.Secret)
		if !ok || len(s.Data[corev1.TLSCertKey]) == 0 || len(s.Data[corev1.TLSPrivateKeyKey]) == 0 {
			return // not issued yet
		}
		if err := f.write(s.Data); err != nil {
			log.Error(err, "writing the certificate of admission into --webhook-cert-dir")
		}
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{AddFunc: write, UpdateFunc: func(_, o any) { write(o) }})
	if err != nil {
		return err
	}
	return f.cache.Start(ctx)
}

// write replaces both files. Whoever reads them in between sees a certificate and a
// key that don't match, and keeps those that it has.
func (f *files) write(data map[string][]byte) error {
	for _, name := range []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
		file := filepath.Join(f.dir, name)
		if before, err := os.ReadFile(file); err == nil && string(before) == string(data[name]) { //nolint:gosec // the folder is the operator's own
			continue
		}
		if err := os.WriteFile(file+".partial", data[name], 0o600); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
		if err := os.Rename(file+".partial", file); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return nil
}

// placeholder is the file that a rotator waits for, and gives up without, where
// nothing is served from files.
func placeholder(dir string) error {
	if err := os.WriteFile(filepath.Join(dir, corev1.TLSCertKey), nil, 0o600); err != nil {
		return fmt.Errorf("the folder of certificates: %w", err)
	}
	return nil
}
