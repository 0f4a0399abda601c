// Soundness: bytes are read inside of the runs of an image, which live as long as it does.

/// The ranges of a memory that become data segments: all bytes that are not zero, and few others.
struct DataRuns {
    let ranges: [Range<Int>]
    private let image: MemoryImage

    /// A segment takes about as many bytes besides its content.
    private static let smallestGap = 16
    /// Pages that are rarely all zero and rarely not are in one segment.
    private static let stableGap = 16 * MemoryImage.pageSize

    /// - Parameter maximumCount: how many ranges there may be; with more, wider gaps are filled.
    init(_ image: MemoryImage, _ layout: SavedModuleLayout, maximumCount: Int) {
        self.image = image
        var gap = layout == .stable ? Self.stableGap : Self.smallestGap
        var ranges = layout == .stable ? image.runs : Self.ranges(image)
        repeat {
            ranges = Self.merge(ranges, gap)
            gap = gap.multipliedReportingOverflow(by: 4).overflow ? .max : gap * 4
        } while ranges.count > max(maximumCount, 1)
        self.ranges = ranges
    }

    /// Ranges without long runs of zeros, inside of the image's runs.
    private static func ranges(_ image: MemoryImage) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        for run in image.runs {
            let bytes = image.bytes(of: run)
            var start = -1
            var end = 0
            var offset = 0
            while offset < bytes.count {
                if offset & 7 == 0, bytes.count - offset >= 8,
                    bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self) == 0
                {
                    offset += 8
                    continue
                }
                if bytes[offset] != 0 {
                    if start >= 0, offset - end >= smallestGap {
                        ranges.append((run.lowerBound + start)..<(run.lowerBound + end))
                        start = offset
                    }
                    if start < 0 { start = offset }
                    end = offset + 1
                }
                offset += 1
            }
            if start >= 0 { ranges.append((run.lowerBound + start)..<(run.lowerBound + end)) }
        }
        return ranges
    }

    private static func merge(_ ranges: [Range<Int>], _ gap: Int) -> [Range<Int>] {
        var merged: [Range<Int>] = []
        for range in ranges {
            if let last = merged.last, range.lowerBound - last.upperBound < gap {
                merged[merged.count - 1] = last.lowerBound..<range.upperBound
            } else {
                merged.append(range)
            }
        }
        return merged
    }

    /// Appends the bytes of one of the ranges, zeros between the image's runs included.
    func append(_ range: Range<Int>, to writer: inout BinaryWriter) {
        // The first run that ends after the range's start.
        var low = 0
        var high = image.runs.count
        while low < high {
            let middle = low + (high - low) / 2
            if image.runs[middle].upperBound <= range.lowerBound {
                low = middle + 1
            } else {
                high = middle
            }
        }
        var position = range.lowerBound
        for run in image.runs[low...] {
            guard run.lowerBound < range.upperBound else { break }
            let part = run.clamped(to: range)
            writer.append(repeatElement(0, count: part.lowerBound - position))
            let bytes = image.bytes(of: run)
            writer.append(
                bytes[(part.lowerBound - run.lowerBound)..<(part.upperBound - run.lowerBound)])
            position = part.upperBound
        }
        writer.append(repeatElement(0, count: range.upperBound - position))
    }
}
