//! What many screens say: buttons, counts, waiting.

words! {
    cancel = "Cancel";
    close = "Close";
    delete = "Delete";
    retry = "Try again";
    loading = "Loading…";
    details = "Details";
    app_name = "Sendense";

    files(count) = "{count} file" | "{count} files";
    folders(count) = "{count} folder" | "{count} folders";
    disks(count) = "{count} disk" | "{count} disks";
    vms(count) = "{count} VM" | "{count} VMs";
    recovery_points(count) = "{count} recovery point" | "{count} recovery points";
    minutes(count) = "{count} minute" | "{count} minutes";
    hours(count) = "{count} hour" | "{count} hours";

    percent(value) = "{value}%";
}
