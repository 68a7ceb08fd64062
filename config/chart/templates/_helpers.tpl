{{/* Labels of every object. */}}
{{- define "apikey-operator.labels" -}}
app.kubernetes.io/name: apikey-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "apikey-operator.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{/* What Pods of both parts share, from the values of one of them. */}}
{{- define "apikey-operator.scheduling" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{/* "true" in namespaced mode, else nothing. */}}
{{- define "apikey-operator.namespaced" -}}
{{- if .Values.namespaces }}true{{ end }}
{{- end }}

{{/* "true" where APIKeys and ProtectedAPIs are admitted, else nothing. */}}
{{- define "apikey-operator.admission" -}}
{{- $impossible := and .Values.namespaces (eq .Values.certificates.source "selfManaged") -}}
{{- if or (eq .Values.admission "Enabled") (and (eq .Values.admission "Auto") (not $impossible)) }}true{{ end }}
{{- end }}

{{/* The configuration of admission belongs to the cluster: in namespaced mode it has the
     namespace in its name, so that every install has its own. */}}
{{- define "apikey-operator.webhookConfiguration" -}}
apikey-operator{{ if .Values.namespaces }}-{{ .Release.Namespace }}{{ end }}
{{- end }}

{{/* Ends with a message what can't be. */}}
{{- define "apikey-operator.check" -}}
{{- $source := .Values.certificates.source -}}
{{- $admission := include "apikey-operator.admission" . -}}
{{- if and .Values.namespaces (eq $source "selfManaged") $admission }}
{{- fail "admission: Enabled is impossible with namespaces and certificates.source selfManaged, since the CA of admission can't be injected without rights on the cluster; set certificates.source to certManager or provided, or admission to Auto or Disabled" }}
{{- end }}
{{- if and (eq $source "provided") $admission (not .Values.certificates.caBundle) }}
{{- fail "certificates.caBundle: required with certificates.source provided, so that the API server trusts admission; set it to the CA in PEM, or admission to Disabled" }}
{{- end }}
{{- if and .Values.certificates.caBundle (ne $source "provided") }}
{{- fail (printf "certificates.caBundle: not with certificates.source %s, which brings its own; leave it empty, or set the source to provided" $source) }}
{{- end }}
{{- if and .Values.certificates.issuerRef (ne $source "certManager") }}
{{- fail (printf "certificates.issuerRef: not with certificates.source %s; leave it empty, or set the source to certManager" $source) }}
{{- end }}
{{- if and .Values.clientCertificates.names (not .Values.clientCertificates.enabled) }}
{{- fail "clientCertificates.names: without clientCertificates.enabled nobody shows a certificate; enable it, or leave the names empty" }}
{{- end }}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) }}
{{- fail (printf "autoscaling.minReplicas: %d is more than autoscaling.maxReplicas, %d" (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) }}
{{- end }}
{{- end }}
