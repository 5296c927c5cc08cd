//! Where the fields of ext's structures lie, in bytes from the beginning of each. A doc comment gives the
//! kernel's name of a field (`fs/ext4/ext4.h`, `ext4_extents.h`, `fast_commit.h`, `include/linux/jbd2.h`).

/// `struct ext4_super_block`.
pub(super) mod superblock {
    use std::ops::Range;

    /// Where it lies on the volume, and how long it is.
    pub(crate) const PLACE: u64 = 1024;
    pub(crate) const BYTES: usize = 1024;

    /// `s_inodes_count`
    pub(crate) const INODES_COUNT: usize = 0x00;
    /// `s_first_data_block`
    pub(crate) const FIRST_DATA_BLOCK: usize = 0x14;
    /// `s_log_block_size`: 0 stands for 1 KiB.
    pub(crate) const LOG_BLOCK_SIZE: usize = 0x18;
    /// `s_blocks_per_group`
    pub(crate) const BLOCKS_PER_GROUP: usize = 0x20;
    /// `s_inodes_per_group`
    pub(crate) const INODES_PER_GROUP: usize = 0x28;
    /// `s_magic`
    pub(crate) const MAGIC: usize = 0x38;
    /// `s_rev_level`
    pub(crate) const REV_LEVEL: usize = 0x4C;
    /// `s_inode_size`
    pub(crate) const INODE_SIZE: usize = 0x58;
    /// `s_block_group_nr`: the group in which this copy lies.
    pub(crate) const BLOCK_GROUP_NR: usize = 0x5A;
    /// `s_feature_compat`
    pub(crate) const FEATURE_COMPAT: usize = 0x5C;
    /// `s_feature_incompat`
    pub(crate) const FEATURE_INCOMPAT: usize = 0x60;
    /// `s_feature_ro_compat`
    pub(crate) const FEATURE_RO_COMPAT: usize = 0x64;
    /// `s_uuid`
    pub(crate) const UUID: Range<usize> = 0x68..0x78;
    /// `s_volume_name`
    pub(crate) const VOLUME_NAME: Range<usize> = 0x78..0x88;
    /// `s_journal_inum`
    pub(crate) const JOURNAL_INUM: usize = 0xE0;
    /// `s_desc_size`
    pub(crate) const DESC_SIZE: usize = 0xFE;
    /// `s_first_meta_bg`
    pub(crate) const FIRST_META_BG: usize = 0x104;
    /// `s_checksum_seed`
    pub(crate) const CHECKSUM_SEED: usize = 0x270;
    /// `s_checksum`
    pub(crate) const CHECKSUM: usize = 0x3FC;
}

/// `struct ext4_group_desc`.
pub(super) mod group {
    /// Its length without the feature `64bit`, and the least with it.
    pub(crate) const OLD_BYTES: u64 = 32;

    /// `bg_inode_table_lo`
    pub(crate) const INODE_TABLE_LO: usize = 0x08;
    /// `bg_checksum`
    pub(crate) const CHECKSUM: usize = 0x1E;
    /// `bg_inode_table_hi`
    pub(crate) const INODE_TABLE_HI: usize = 0x28;
}

/// `struct ext4_inode`.
pub(super) mod inode {
    use std::ops::Range;

    /// Its length in the first revision (`EXT4_GOOD_OLD_INODE_SIZE`); what lies behind is counted by
    /// `EXTRA_ISIZE`.
    pub(crate) const OLD_BYTES: usize = 128;

    /// `i_mode`
    pub(crate) const MODE: usize = 0x00;
    /// `i_size_lo`
    pub(crate) const SIZE_LO: usize = 0x04;
    /// `i_mtime`
    pub(crate) const MTIME: usize = 0x10;
    /// `i_flags`
    pub(crate) const FLAGS: usize = 0x20;
    /// `i_block`: block pointers, which short links use for themselves.
    pub(crate) const BLOCK: Range<usize> = 0x28..0x64;
    /// `i_generation`
    pub(crate) const GENERATION: usize = 0x64;
    /// `i_size_high`
    pub(crate) const SIZE_HIGH: usize = 0x6C;
    /// `i_checksum_lo`
    pub(crate) const CHECKSUM_LO: usize = 0x7C;
    /// `i_extra_isize`
    pub(crate) const EXTRA_ISIZE: usize = 0x80;
    /// `i_checksum_hi`
    pub(crate) const CHECKSUM_HI: usize = 0x82;
    /// `i_mtime_extra`
    pub(crate) const MTIME_EXTRA: usize = 0x88;
}

/// `struct ext4_xattr_ibody_header` and, behind it, `struct ext4_xattr_entry`.
pub(super) mod attribute {
    /// `h_magic`
    pub(crate) const HEADER_MAGIC: usize = 0x00;
    /// The entries begin behind it.
    pub(crate) const HEADER_BYTES: usize = 4;

    /// `e_name_len`
    pub(crate) const NAME_LEN: usize = 0x00;
    /// `e_name_index`
    pub(crate) const NAME_INDEX: usize = 0x01;
    /// `e_value_offs`
    pub(crate) const VALUE_OFFS: usize = 0x02;
    /// `e_value_size`
    pub(crate) const VALUE_SIZE: usize = 0x08;
    /// `e_name`
    pub(crate) const NAME: usize = 0x10;
}

/// `struct ext4_extent_header`, `struct ext4_extent_idx` and `struct ext4_extent`, all of one size.
pub(super) mod extent {
    pub(crate) const BYTES: usize = 12;

    /// `eh_magic`
    pub(crate) const HEADER_MAGIC: usize = 0x0;
    /// `eh_entries`
    pub(crate) const HEADER_ENTRIES: usize = 0x2;
    /// `eh_max`
    pub(crate) const HEADER_MAX: usize = 0x4;
    /// `eh_depth`
    pub(crate) const HEADER_DEPTH: usize = 0x6;

    /// `ei_leaf_lo`
    pub(crate) const INDEX_LEAF_LO: usize = 0x4;
    /// `ei_leaf_hi`
    pub(crate) const INDEX_LEAF_HI: usize = 0x8;

    /// `ee_block`, in an index `ei_block`: the first block of the file.
    pub(crate) const FIRST: usize = 0x0;
    /// `ee_len`
    pub(crate) const LEN: usize = 0x4;
    /// Longer ones are shorter ones that were reserved and never written.
    const MAX_LEN: u16 = 1 << 15;

    /// What `ee_len` says: how many blocks, and whether they were ever written.
    pub(crate) fn len(field: u16) -> (u16, bool) {
        match field.checked_sub(MAX_LEN) {
            Some(n_reserved @ 1..) => (n_reserved, false),
            _ => (field, true),
        }
    }

    /// `ee_start_hi`
    pub(crate) const START_HI: usize = 0x6;
    /// `ee_start_lo`
    pub(crate) const START_LO: usize = 0x8;
}

/// `struct ext4_dir_entry_2`.
pub(super) mod dir_entry {
    /// `inode`
    pub(crate) const INODE: usize = 0x0;
    /// `rec_len`
    pub(crate) const REC_LEN: usize = 0x4;
    /// `name_len`
    pub(crate) const NAME_LEN: usize = 0x6;
    /// `name`
    pub(crate) const NAME: usize = 0x8;

    /// The length of the entries `.` and `..`.
    pub(crate) const DOT_BYTES: usize = 12;
    /// `struct ext4_dir_entry_tail`, the last of a block: its length, and `det_checksum` in it.
    pub(crate) const TAIL_BYTES: usize = 12;
    pub(crate) const TAIL_CHECKSUM: usize = 0x8;
}

/// The journal's blocks, whose numbers are big-endian.
pub(super) mod journal {
    use std::ops::Range;

    /// `h_magic` of `struct journal_header_s`, with which every block of the journal's own begins.
    pub(crate) const MAGIC: usize = 0x0;
    /// `h_blocktype`
    pub(crate) const BLOCK_TYPE: usize = 0x4;
    /// `h_sequence`
    pub(crate) const SEQUENCE: usize = 0x8;
    /// The tags of a descriptor begin behind the header.
    pub(crate) const HEADER_BYTES: usize = 12;

    /// The length of `struct journal_superblock_s`.
    pub(crate) const SUPERBLOCK_BYTES: usize = 1024;
    /// `s_blocksize`
    pub(crate) const BLOCK_SIZE: usize = 0x0C;
    /// `s_maxlen`
    pub(crate) const MAX_LEN: usize = 0x10;
    /// `s_first`
    pub(crate) const FIRST: usize = 0x14;
    /// `s_sequence`: that of the first transaction to replay.
    pub(crate) const FIRST_SEQUENCE: usize = 0x18;
    /// `s_start`
    pub(crate) const START: usize = 0x1C;
    /// `s_feature_compat`
    pub(crate) const FEATURE_COMPAT: usize = 0x24;
    /// `s_feature_incompat`
    pub(crate) const FEATURE_INCOMPAT: usize = 0x28;
    /// `s_uuid`
    pub(crate) const UUID: Range<usize> = 0x30..0x40;
    /// `s_num_fc_blks`
    pub(crate) const NUM_FC_BLOCKS: usize = 0x54;
    /// `s_checksum`
    pub(crate) const CHECKSUM: usize = 0xFC;

    /// `h_chksum_type` of `struct commit_header`
    pub(crate) const COMMIT_CHECKSUM_TYPE: usize = 0x0C;
    /// `h_chksum_size`
    pub(crate) const COMMIT_CHECKSUM_SIZE: usize = 0x0D;
    /// `h_chksum`
    pub(crate) const COMMIT_CHECKSUM: usize = 0x10;
    /// `h_commit_sec`, whose upper half comes first.
    pub(crate) const COMMIT_SEC_HI: usize = 0x30;
    pub(crate) const COMMIT_SEC_LO: usize = 0x34;
    /// What of a commit block has a meaning.
    pub(crate) const COMMIT_BYTES: usize = 60;

    /// `t_blocknr` of `struct journal_block_tag_s` and `journal_block_tag3_s`
    pub(crate) const TAG_BLOCK: usize = 0x0;
    /// `t_checksum`, before version 3
    pub(crate) const TAG_CHECKSUM: usize = 0x4;
    /// `t_flags` of version 3; before, the lower half of the word that begins here.
    pub(crate) const TAG_FLAGS: usize = 0x4;
    /// `t_blocknr_high`
    pub(crate) const TAG_BLOCK_HIGH: usize = 0x8;
    /// `t_checksum` of version 3
    pub(crate) const TAG3_CHECKSUM: usize = 0xC;

    /// `r_count` of `struct jbd2_journal_revoke_header_s`: the length of what is used of the block.
    pub(crate) const REVOKE_COUNT: usize = 0x0C;
    /// The revoked blocks follow.
    pub(crate) const REVOKE_BYTES: usize = 16;
    /// `struct jbd2_journal_block_tail`, a checksum at the end of a block.
    pub(crate) const TAIL_BYTES: usize = 4;
}

/// Records of fast commits. Places in a value are counted from behind the tag.
pub(super) mod fast {
    /// `fc_tag` of `struct ext4_fc_tl`
    pub(crate) const TAG: usize = 0x0;
    /// `fc_len`
    pub(crate) const LEN: usize = 0x2;
    /// The value follows.
    pub(crate) const TAG_BYTES: usize = 4;

    /// `fc_features` of `struct ext4_fc_head`
    pub(crate) const HEAD_FEATURES: usize = 0x0;
    /// `fc_tid` there
    pub(crate) const HEAD_TID: usize = 0x4;

    /// `fc_tid` of `struct ext4_fc_tail`
    pub(crate) const TAIL_TID: usize = 0x0;
    /// `fc_crc`, which is of what comes before it, tag included.
    pub(crate) const TAIL_CRC: usize = 0x4;

    /// `fc_ino` of the others, in `struct ext4_fc_dentry_info` called `fc_parent_ino`
    pub(crate) const INO: usize = 0x0;
    /// `fc_raw_inode` of `struct ext4_fc_inode`
    pub(crate) const RAW_INODE: usize = 0x4;

    /// `fc_ex` of `struct ext4_fc_add_range`, a `struct ext4_extent`
    pub(crate) const ADD_EXTENT: usize = 0x4;
    /// `fc_lblk` of `struct ext4_fc_del_range`
    pub(crate) const DEL_FIRST: usize = 0x4;
    /// `fc_len` there
    pub(crate) const DEL_LEN: usize = 0x8;

    /// `fc_ino` of `struct ext4_fc_dentry_info`
    pub(crate) const NAMED_INO: usize = 0x4;
    /// `fc_dname`
    pub(crate) const NAME: usize = 0x8;
}
