import WasmSystem

/// The records of a tracefile of lcov, one for each file of the source.
///
/// `genhtml` shows the lines of all of them and stops at the first file that it cannot read.
/// Sources of precompiled libraries are usually missing, so they are left out if other files can be
/// read.
struct CoverageSources {
    /// The tracefile without the records that are left out.
    private(set) var text: String
    /// What to tell the user; nil if all files are there.
    private(set) var note: String?

    init(
        _ tracefile: String,
        isReadable: (String) -> Bool = { Kernel.isAccessible($0, for: .read) }
    ) {
        text = tracefile
        var kept = ""
        var record = ""
        var keptCount = 0
        var missing: [Substring] = []
        for line in tracefile.split(separator: "\n") {
            record += "\(line)\n"
            // What is before the first record belongs to no file.
            if line.hasPrefix("TN:") {
                kept += record
                record = ""
            } else if line == "end_of_record" {
                let path = record.prefix { $0 != "\n" }.dropFirst(3)
                if isReadable(String(path)) {
                    kept += record
                    keptCount += 1
                } else {
                    missing.append(path)
                }
                record = ""
            }
        }
        guard let first = missing.first else { return }
        let example = printable(String(first))
        if keptCount > 0 {
            text = kept
            note =
                "coverage leaves out \(counted(missing.count, "source file")) that cannot be read "
                + "here, such as \(example)"
        } else {
            note =
                "no source file of the program can be read here, such as \(example); genhtml needs "
                + "--ignore-errors source"
        }
    }
}
