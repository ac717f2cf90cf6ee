resource "google_kms_crypto_key_iam_member" "agents" {
  for_each = var.kms_key == null ? {} : local._agents

  crypto_key_id = var.kms_key
  member        = "serviceAccount:${each.value}"
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"

  # An agent is there once its API is enabled.
  depends_on = [google_project_service.default]
}

locals {
  # The key as those know it who may use it: nothing is encrypted before.
  _kms_key = one(distinct([
    for grant in google_kms_crypto_key_iam_member.agents : grant.crypto_key_id
  ]))
}
