# What each function is deployed with, by the rules in the stage table;
# emulator/bundle.py has the same for local runs.

locals {
  _bundle = {
    files    = try(var.table.bundle.files, [])
    folders  = try(var.table.bundle.folders, [])
    suffixes = try(var.table.bundle.suffixes, [])
    without  = try(var.table.bundle.without, [])
  }

  # A path of `data` is a file or a folder; only a folder has files below it.
  _carried = {
    for name, row in local._rows : name => toset(flatten([
      [
        for folder in concat(
          local._bundle.folders, row.data, ["functions/${name}"]
        ) :
        [for file in fileset(var.root, "${folder}/**") : file]
      ],
      [
        for path in row.data :
        [for file in fileset(var.root, path) : file]
      ],
    ]))
  }

  _wanted = {
    for name, files in local._carried : name => {
      for file in files : file => file
      if anytrue([
        for suffix in local._bundle.suffixes : endswith(file, suffix)
      ])
      && !anytrue([
        for beginning in local._bundle.without : startswith(file, beginning)
      ])
      && !contains(split("/", file), "__pycache__")
    }
  }

  _bundles = {
    for name, files in local._wanted : name => merge(
      files,
      { for file in local._bundle.files : file => file },
      {
        "main.py"          = "functions/${name}/main.py"
        "requirements.txt" = "functions/${name}/requirements.txt"
      },
    )
  }

  _absent = flatten([
    for name, files in local._bundles : concat(
      [
        for file in values(files) : "stage ${name}: there is no ${file}"
        if !fileexists("${var.root}/${file}")
      ],
      [
        for path in concat(local._bundle.folders, local._rows[name].data) :
        "stage ${name}: its bundle is to have ${path}, in which there is nothing that is wanted"
        if !anytrue([
          for file in keys(files) : file == path || startswith(file, "${path}/")
        ])
      ],
    )
  ])

  _hashes = {
    for name, files in local._bundles : name => sha256(join("", [
      for path, file in files :
      "${path}\t${try(filesha256("${var.root}/${file}"), "")}\n"
    ]))
  }
}
