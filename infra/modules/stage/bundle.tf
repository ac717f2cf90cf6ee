# The zip's name is the digest of what is in it: a function is deployed anew
# exactly when its own bundle has changed.

data "archive_file" "default" {
  type        = "zip"
  output_path = "${path.root}/.bundles/${var.stage.name}-${var.bundle.hash}.zip"

  dynamic "source" {
    for_each = var.bundle.files
    content {
      content  = file("${var.root}/${source.value}")
      filename = source.key
    }
  }
}

resource "google_storage_bucket_object" "default" {
  bucket = var.sources_bucket
  name   = "${var.stage.name}/${var.bundle.hash}.zip"
  source = data.archive_file.default.output_path

  # The function is moved to the new zip before the old one goes.
  lifecycle {
    create_before_destroy = true
  }
}
