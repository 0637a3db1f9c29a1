/// Why a NIfTI file cannot be read or written. Each description is one sentence naming the file, what is wrong with it
/// and what to do.
package enum NIfTIError: Error, Sendable, Equatable {
    case missing(path: String)
    case unreadable(path: String, reason: String)
    case empty(path: String)
    /// Named .gz, but the bytes are not gzip.
    case notGzip(path: String, looksLikeNIfTI: Bool)
    /// Named .nii, but the bytes are gzip.
    case gzipWithoutSuffix(path: String)
    /// The gzip stream ends early. `expectedBytes` is nil when not even the header could be unpacked.
    case truncatedGzip(path: String, expectedBytes: Int?, foundBytes: Int)
    /// The gzip stream is damaged inside, or its checksum or length disagrees.
    case damagedGzip(path: String, reason: String)
    /// The file holds fewer bytes than its header promises.
    case truncated(path: String, expectedBytes: Int, foundBytes: Int)
    case notNIfTI(path: String, reason: String)
    /// The header of a `.hdr`/`.img` pair, or ANALYZE.
    case separateHeader(path: String)
    /// The header promises more voxels than the file could possibly hold.
    case absurdSize(path: String, dimensions: [Int], fileBytes: Int)
    case badDimensions(path: String, dimensions: [Int])
    /// A flat image (one voxel thick) where a volume is needed.
    case flat(path: String, dimensions: [Int])
    /// A fourth or higher axis with more than one entry where one volume is needed.
    case severalVolumes(path: String, dimensions: [Int])
    case noSuchFrame(path: String, frame: Int, frames: Int)
    case unsupportedDatatype(path: String, name: String)
    case notAVectorField(path: String, dimensions: [Int], intentCode: Int)
    case affineNotFinite(path: String, source: String)
    case affineSingular(path: String, source: String)
    case affineSheared(path: String, source: String, degreesOffSquare: Double)
    /// A label that is not a whole number from 0 to 65535.
    case labelOutOfRange(path: String, value: Double)
    case cannotWrite(path: String, reason: String)
    /// The path to write to ends in neither `.nii` nor `.nii.gz`.
    case badName(path: String)
}

extension NIfTIError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .missing(let path):
            "\(path) does not exist; check the path or restore the file"
        case .unreadable(let path, let reason):
            "\(path) cannot be read (\(reason)); check its permissions and the disk"
        case .empty(let path):
            "\(path) has zero bytes; copy or convert it again"
        case .notGzip(let path, let looksLikeNIfTI):
            looksLikeNIfTI
                ? "\(path) is named .gz but holds an uncompressed NIfTI image; rename it to .nii or compress it with gzip"
                : "\(path) is named .gz but is not gzip; copy or convert it again"
        case .gzipWithoutSuffix(let path):
            "\(path) is gzip-compressed but not named .gz; rename it to .nii.gz or unpack it"
        case .truncatedGzip(let path, .some(let expected), let found):
            "\(path) is cut short: its header promises \(expected) bytes and only \(found) can be unpacked; "
                + "copy or convert it again"
        case .truncatedGzip(let path, nil, let found):
            "\(path) is cut short: the gzip stream ends after \(found) unpacked bytes, inside the header; "
                + "copy or convert it again"
        case .damagedGzip(let path, let reason):
            "\(path) is damaged (gzip: \(reason)); copy or convert it again"
        case .truncated(let path, let expected, let found):
            "\(path) is cut short: its header promises \(expected) bytes and it holds \(found); copy or convert it again"
        case .notNIfTI(let path, let reason):
            "\(path) is not a NIfTI image (\(reason)); convert it to .nii.gz"
        case .separateHeader(let path):
            "\(path) is the header of an ANALYZE or two-file NIfTI image; convert it to a single .nii.gz file"
        case .absurdSize(let path, let dimensions, let bytes):
            "\(path) has a damaged header: \(dimensions.joined) voxels cannot fit into a file of \(bytes) bytes; "
                + "copy or convert it again"
        case .badDimensions(let path, let dimensions):
            "\(path) has a damaged header: \(dimensions.joined) is not an image size; copy or convert it again"
        case .flat(let path, let dimensions):
            "\(path) is a 2-D image (\(dimensions.joined) voxels) where a 3-D volume is needed; "
                + "supply the whole volume"
        case .severalVolumes(let path, let dimensions):
            "\(path) holds several volumes (\(dimensions.joined)) where one 3-D volume is needed; "
                + "split it or average it first"
        case .noSuchFrame(let path, let frame, let frames):
            "\(path) has \(frames) volume(s), so volume number \(frame) (counted from 0) does not exist; "
                + "ask for one that does"
        case .unsupportedDatatype(let path, let name):
            "\(path) holds \(name) values where real numbers are needed; convert it to a real-valued image"
        case .notAVectorField(let path, let dimensions, let intent):
            "\(path) is not a displacement field (\(dimensions.joined), intent code \(intent)); "
                + "supply a 5-D image with three components on the last axis and vector intent"
        case .affineNotFinite(let path, let source):
            "\(path) has numbers that are not finite in its \(source), so its voxels have no place; repair the header"
        case .affineSingular(let path, let source):
            "\(path) has a \(source) that flattens space (singular), so its voxels have no place; repair the header"
        case .affineSheared(let path, let source, let degrees):
            "\(path) has a sheared \(source) (axes \(degrees)° off square), which voxel-based methods cannot "
                + "use; resample it onto a grid with square axes"
        case .labelOutOfRange(let path, let value):
            "\(path) holds the value \(value), which is not a label (a whole number from 0 to 65535); "
                + "supply a discrete segmentation"
        case .cannotWrite(let path, let reason):
            "\(path) cannot be written (\(reason)); check the folder's permissions and the free space"
        case .badName(let path):
            "\(path) is no name for a NIfTI image; end it in .nii.gz or .nii"
        }
    }
}

extension [Int] {
    /// "64×64×32".
    fileprivate var joined: String { map(String.init).joined(separator: "×") }
}
