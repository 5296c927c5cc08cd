//! The files of a mounted disk.

words! {
    selected = "Selected items";
    select_file = "Select a file first";
    one_folder = "Folders are saved one at a time, as an archive";
    some_unreadable = "Some of the selected items cannot be read";
    select_one_folder = "Select one folder";
    download = "Download…";
    copy_path = "Copy path";
    running = "Running downloads";
    download_folder_hint = "Saves the selected folder, or else the current one, as a ZIP archive";
    counting = "Counting…";
    download_folder = "Download folder";
    download_selected = "Download selected";
    damaged = "This folder is damaged in this backup: something is missing.";
    damaged_hint = "Everything shown can be restored. An older recovery point may hold the rest.";
    passed_over = "This disk holds something else that is not shown";
    large = "Save a large folder?";
    save_anyway = "Save anyway";
    modified = "Modified";
    files = "Files";
    reading = "Reading the folder";
    filter_nothing = "No name in this folder contains this.";
    nothing_shown = "Nothing in this folder can be shown";
    empty = "This folder is empty";
    up = "Up";
    root = "Root";
    refresh = "Refresh";
    path = "Path";
    filter = "Filter";
    link = "Link";
    file = "File";
    text_document = "Text document";
    xml_document = "XML document";
    pdf_document = "PDF document";
    spreadsheet = "Spreadsheet";
    archive = "Archive";
    picture = "Picture";
    program = "Program";
    library = "Library";
    windows_image = "Windows image";

    items(count) = "{count} item" | "{count} items";
    bytes(count) = "{count} byte" | "{count} bytes";
    selected_size(count, size) = "{count} selected, {size}";
    large_hint(count, folder, size) = "{folder} holds {size} in {count} file. Saving it takes a while, and as much space on this computer." | "{folder} holds {size} in {count} files. Saving it takes a while, and as much space on this computer.";

    folder = "Folder";
    settings_file = "Settings";
    file_of_kind(ending) = "{ending} file";
    with_streams(count, kind) = "{kind}, {count} stream" | "{kind}, {count} streams";
}
