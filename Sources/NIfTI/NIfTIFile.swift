import Kernels

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Reading and writing of single-file NIfTI images (`.nii`, `.nii.gz`; NIfTI-1 and NIfTI-2; either byte order).
///
/// Every reader checks the whole file: sizes against the header before memory is asked for, the length of what was
/// unpacked, and the gzip checksum. It throws a `NIfTIError` whose description names the file and the remedy.
package enum NIfTIFile {
    /// Largest cosine between two axes that a reader accepts (0.02 is 1.1°). Voxel-wise methods take the axes as square.
    package static let maximumShear = 0.02

    /// Reads the header only; the voxels are not touched, so a file cut inside them passes.
    package static func readHeader(_ path: String, maximumShear: Double = maximumShear) throws -> NIfTIHeader {
        try OpenImage(path, maximumShear: maximumShear).header
    }

    /// Reads a volume as stored value × slope + intercept, in single precision.
    ///
    /// - Parameter frame: which volume of a 4-D file, from 0; nil accepts only files of one volume (trailing axes of
    ///   length 1 are ignored).
    package static func readVolume(_ path: String, frame: Int? = nil) throws -> Volume {
        try read(path, frame: frame).volume
    }

    /// As `readVolume`, with the header it came with.
    package static func read(_ path: String, frame: Int? = nil) throws -> (volume: Volume, header: NIfTIHeader) {
        let image = try OpenImage(path, maximumShear: maximumShear)
        let frame = try image.header.select(frame: frame)
        let values = try image.readFloats(frame: frame)
        try image.finish()
        return (Volume(grid: image.header.grid, values: values), image.header)
    }

    /// Reads a mask: 1 where the value is above 0.5, so that 0/1, 0/255 and probability masks all work.
    package static func readMask(_ path: String) throws -> Mask {
        let image = try OpenImage(path, maximumShear: maximumShear)
        let frame = try image.header.select(frame: nil)
        let values = try image.readConverted(frame: frame, filler: UInt8(0)) { $0 > 0.5 ? 1 : 0 }
        try image.finish()
        return Mask(grid: image.header.grid, values: values)
    }

    /// Reads a discrete segmentation; values must be whole numbers from 0 to 65535.
    package static func readLabelMap(_ path: String) throws -> LabelMap {
        let image = try OpenImage(path, maximumShear: maximumShear)
        let frame = try image.header.select(frame: nil)
        var bad: Double?
        let values = try image.readConverted(frame: frame, filler: UInt16(0)) { value -> UInt16 in
            // Also false for NaN. Not `rounded`, which calls a function of the C library for every voxel.
            if value > -0.5, value < 65535.5 {
                let whole = Int32(value + 0.5)
                // Scaled or floating-point labels come back with a little noise; 2.5 is not noise.
                if abs(value - Double(whole)) <= 1e-3 { return UInt16(truncatingIfNeeded: whole) }
            }
            if bad == nil { bad = value }
            return 0
        }
        try image.finish()
        if let bad { throw NIfTIError.labelOutOfRange(path: path, value: bad) }
        return LabelMap(grid: image.header.grid, values: values)
    }

    /// Reads a displacement field in the ITK convention (see `write(_:to:)` of a displacement field) or, with intent 1006,
    /// in that of the NIfTI standard.
    ///
    /// - Returns: world displacements in mm, RAS+.
    package static func readDisplacementField(_ path: String) throws -> DisplacementField {
        let image = try OpenImage(path, maximumShear: maximumShear)
        let header = image.header
        guard header.dimensions.count == 5, header.dimensions[3] == 1, header.dimensions[4] == 3 else {
            throw NIfTIError.notAVectorField(path: path, dimensions: header.dimensions, intentCode: header.intentCode)
        }
        // Vector (1007) holds LPS by ITK's custom; displacement vector (1006) holds RAS by the NIfTI standard.
        let sign: Float
        switch header.intentCode {
        case IntentCode.vector: sign = -1
        case IntentCode.displacement: sign = 1
        default:
            throw NIfTIError.notAVectorField(path: path, dimensions: header.dimensions, intentCode: header.intentCode)
        }
        var x = try image.readFloats(frame: 0)
        var y = try image.readFloats(frame: 1)
        let z = try image.readFloats(frame: 2)
        try image.finish()
        for i in x.indices { x[i] *= sign }
        for i in y.indices { y[i] *= sign }
        return DisplacementField(grid: header.grid, x: x, y: y, z: z)
    }
}

enum IntentCode {
    static let displacement = 1006
    static let vector = 1007
}

extension NIfTIHeader {
    /// The number of the one volume to read.
    fileprivate func select(frame: Int?) throws -> Int {
        guard dimensions.count >= 3, dimensions.prefix(3).allSatisfy({ $0 > 1 }) else {
            throw NIfTIError.flat(path: path, dimensions: dimensions)
        }
        guard let frame else {
            guard frames == 1 else { throw NIfTIError.severalVolumes(path: path, dimensions: dimensions) }
            return 0
        }
        guard (0..<frames).contains(frame) else {
            throw NIfTIError.noSuchFrame(path: path, frame: frame, frames: frames)
        }
        return frame
    }
}

/// A file whose header has been read, standing somewhere in its voxels.
private struct OpenImage {
    let header: NIfTIHeader
    let source: ByteSource

    init(_ path: String, maximumShear: Double) throws {
        source = try ByteSource(path: path)
        var bytes = try Self.take(HeaderLength.nifti1, from: source)
        guard bytes.count >= 4 else { throw Self.short(source, bytes.count) }
        let length = bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
        if [length, length.byteSwapped].contains(UInt32(HeaderLength.nifti2)) {
            bytes += try Self.take(HeaderLength.nifti2 - HeaderLength.nifti1, from: source)
            guard bytes.count == HeaderLength.nifti2 else { throw Self.short(source, bytes.count) }
        } else if ![length, length.byteSwapped].contains(UInt32(HeaderLength.nifti1)) {
            throw NIfTIError.notNIfTI(path: path, reason: "no NIfTI signature")
        } else if bytes.count < HeaderLength.nifti1 {
            throw Self.short(source, bytes.count)
        }
        header = try NIfTIHeader.parse(bytes, path: path, maximumShear: maximumShear)
        try checkSize()
    }

    /// Refuses a header that promises more than the file can hold, before any memory is asked for.
    private func checkSize() throws {
        let path = source.path
        if source.isGzip {
            // Deflate cannot pack better than 1 : 1032; the slack covers headers and block ends.
            let limit = source.fileBytes.multipliedReportingOverflow(by: 1032).partialValue + 65536
            guard header.fileBytes <= limit else {
                throw NIfTIError.absurdSize(path: path, dimensions: header.dimensions, fileBytes: source.fileBytes)
            }
        } else if header.fileBytes > source.fileBytes {
            throw NIfTIError.truncated(path: path, expectedBytes: header.fileBytes, foundBytes: source.fileBytes)
        }
    }

    private static func take(_ count: Int, from source: ByteSource) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let found = try bytes.withUnsafeMutableBytes { try source.read(into: $0) }
        bytes.removeLast(count - found)
        return bytes
    }

    /// The file ends inside its header.
    private static func short(_ source: ByteSource, _ found: Int) -> NIfTIError {
        if source.isGzip && !source.isComplete {
            return .truncatedGzip(path: source.path, expectedBytes: nil, foundBytes: found)
        }
        return .notNIfTI(path: source.path, reason: "it holds only \(found) bytes, less than a header")
    }

    /// Goes to the first byte of a volume. Volumes are read in rising order.
    private func seek(toFrame frame: Int) throws {
        var toSkip = header.dataOffset + frame * header.volumeBytes - source.position
        precondition(toSkip >= 0, "volumes are read in rising order")
        var scratch = [UInt8](repeating: 0, count: min(toSkip, 1 << 16))
        while toSkip > 0 {
            let wanted = min(toSkip, scratch.count)
            let found = try scratch.withUnsafeMutableBytes {
                try source.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[..<wanted]))
            }
            guard found == wanted else { throw ended() }
            toSkip -= wanted
        }
    }

    /// The file has ended before its header said it would.
    private func ended() -> NIfTIError {
        let path = source.path
        if source.isGzip && !source.isComplete {
            return .truncatedGzip(path: path, expectedBytes: header.fileBytes, foundBytes: source.position)
        }
        return .truncated(path: path, expectedBytes: header.fileBytes, foundBytes: source.position)
    }

    /// Reads what is left, so that a stream that is cut or damaged behind the volume of interest is noticed too.
    func finish() throws {
        _ = try source.drain()
        guard source.isComplete, source.position >= header.fileBytes else { throw ended() }
    }

    func readFloats(frame: Int) throws -> [Float] {
        if header.datatype == .float32, header.slope == 1, header.intercept == 0,
            header.bigEndian == Self.hostIsBigEndian
        {
            try seek(toFrame: frame)
            return try [Float](unsafeUninitializedCapacity: header.grid.count) { buffer, initialised in
                let found = try source.read(into: UnsafeMutableRawBufferPointer(buffer))
                guard found == header.volumeBytes else { throw ended() }
                initialised = header.grid.count
            }
        }
        return try readConverted(frame: frame, filler: Float(0)) { Float($0) }
    }

    /// Reads one volume piece by piece through `convert`, which gets slope and intercept already applied.
    @inline(__always)
    func readConverted<Value>(frame: Int, filler: Value, _ convert: (Double) -> Value) throws -> [Value] {
        try seek(toFrame: frame)
        let count = header.grid.count
        let size = header.datatype.bytes
        let chunk = 1 << 15
        var raw = [UInt8](repeating: 0, count: chunk * size)
        var decoded = [Double](repeating: 0, count: chunk)
        return try [Value](unsafeUninitializedCapacity: count) { buffer, initialised in
            while initialised < count {
                let piece = min(chunk, count - initialised)
                try raw.withUnsafeMutableBytes { raw in
                    let bytes = UnsafeMutableRawBufferPointer(rebasing: raw[..<(piece * size)])
                    guard try source.read(into: bytes) == bytes.count else { throw ended() }
                    decoded.withUnsafeMutableBufferPointer {
                        decodeVoxels(UnsafeRawBufferPointer(bytes), header, into: $0)
                    }
                }
                decoded.withUnsafeBufferPointer {
                    for i in 0..<piece { (buffer.baseAddress! + initialised + i).initialize(to: convert($0[i])) }
                }
                initialised += piece
            }
        }
    }

    private static let hostIsBigEndian = Int(bigEndian: 1) == 1
}
