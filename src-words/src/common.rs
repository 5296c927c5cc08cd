//! What many screens say: buttons, counts, waiting.

words! {
    cancel = "Cancel";
    close = "Close";
    delete = "Delete";
    retry = "Retry";
    loading = "Loading";
    details = "Details";
    app_name = "Sendense";

    files(count) = "{count} file" | "{count} files";
    disks(count) = "{count} disk" | "{count} disks";
    vms(count) = "{count} VM" | "{count} VMs";
    recovery_points(count) = "{count} recovery point" | "{count} recovery points";

    about(size) = "about {size}";
    percent(value) = "{value}%";

    not_offered = "This hub cannot do this";
    browse = "Browse";
    open = "Open";
    name = "Name";
    size = "Size";
    kind = "Type";
    state = "State";
    actions = "Actions";
    select_all = "Select all";
    nothing_matches = "Nothing matches";
    choose_folder = "Choose folder…";
    no_folder_yet = "No folder chosen";
    connect = "Connect";
    add = "Add";
    remove = "Remove";
    save = "Save";
    copy = "Copy";
    done = "Done";
    this_computer = "This computer";

    folder = "Folder";
    disk(index) = "Disk {index}";
    part_of(part, whole) = "{part} of {whole}";
    per_second(size) = "{size}/s";
    time_left(span) = "{span} left";
    minutes_short(count) = "{count} min";
    more_for(name) = "More actions for {name}";
    sort_by(column) = "Sort by {column}";
    sort_by_reversed(column) = "Sort by {column}, reversed";

    just_now = "just now";
    never = "never";
    minutes_ago(count) = "{count} minute ago" | "{count} minutes ago";
    hours_ago(count) = "{count} hour ago" | "{count} hours ago";
    date(day, month, year, time) = "{day} {month} {year} {time}";
    on_date(date) = "on {date}";
    seconds_short(count) = "{count} s";
    minutes_seconds(minutes, seconds) = "{minutes} min {seconds} s";
    hours_minutes(hours, minutes) = "{hours} h {minutes} min";

    january = "Jan";
    february = "Feb";
    march = "Mar";
    april = "Apr";
    may = "May";
    june = "Jun";
    july = "Jul";
    august = "Aug";
    september = "Sep";
    october = "Oct";
    november = "Nov";
    december = "Dec";
}

/// The short name of a month, 0 for January.
pub fn month(index: u32) -> &'static str {
    const MONTHS: [fn() -> &'static str; 12] = [
        january, february, march, april, may, june, july, august, september, october, november,
        december,
    ];
    MONTHS.get(index as usize).map_or("?", |name| name())
}
