//! The files of a mounted disk.

words! {
    up = "Up";
    root = "Root";
    refresh = "Refresh";
    path = "Path";
    filter = "Filter";
    files = "Files";
    modified = "Modified";

    reading = "Reading the folder";
    filter_nothing = "No name in this folder matches the filter.";
    nothing_shown = "Nothing in this folder can be shown";
    empty = "This folder is empty";
    damaged = "This folder is damaged in this backup: some items are missing.";
    damaged_hint = "Everything shown can be restored. An older recovery point may hold the rest.";
    passed_over = "Some contents of this disk are not shown";

    selected = "Selected items";
    download = "Download…";
    copy_path = "Copy path";
    select_file = "Select a file first";
    select_one_folder = "Select one folder";
    some_unreadable = "Some of the selected items cannot be read";

    items(count) = "{count} item" | "{count} items";
    bytes(count) = "{count} byte" | "{count} bytes";
    selected_size(count, size) = "{count} selected, {size}";
    download_selected = "Download selected";
    download_folder = "Download folder";
    download_folder_hint = "Saves the selected folder, or the current one";
    format = "Save folders as";
    as_files = "Plain files";
    of_selection(count) = "The {count} selected item" | "The {count} selected items";
    counting = "Counting…";
    running = "Downloads from this mount";

    large = "Save a large folder?";
    will_be_incomplete = "Not everything can be saved as it is";
    large_hint(count, folder, size) = "{folder} holds {size} in {count} file. Saving it takes a while and needs as much space on this computer." | "{folder} holds {size} in {count} files. Saving it takes a while and needs as much space on this computer.";
    files_too_large(count) = "{count} file is too large for this hub, which ends each transfer after 15 seconds. It will be missing and listed as a problem." | "{count} files are too large for this hub, which ends each transfer after 15 seconds. They will be missing and listed as problems.";
    files_unreadable(count) = "{count} item cannot be read. It will be missing and listed as a problem." | "{count} items cannot be read. They will be missing and listed as problems.";
    links_left_out(count) = "{count} link will be left out and listed as a problem." | "{count} links will be left out and listed as problems.";
    streams_left_out(count) = "The alternate data streams of {count} item will be left out. A ZIP or TAR.GZ archive keeps them." | "The alternate data streams of {count} items will be left out. A ZIP or TAR.GZ archive keeps them.";
    files_renamed(count) = "{count} name is not allowed on this computer and will be changed. A ZIP or TAR.GZ archive keeps it." | "{count} names are not allowed on this computer and will be changed. A ZIP or TAR.GZ archive keeps them.";
    save_anyway = "Save anyway";

    file = "File";
    link = "Link";
    file_of_kind(ending) = "{ending} file";
    with_streams(count, kind) = "{kind}, {count} stream" | "{kind}, {count} streams";
    text_document = "Text document";
    xml_document = "XML document";
    pdf_document = "PDF document";
    spreadsheet = "Spreadsheet";
    archive = "Archive";
    picture = "Picture";
    program = "Program";
    library = "Library";
    windows_image = "Windows image";
    settings_file = "Settings";
}
