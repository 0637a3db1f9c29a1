import Kernels
import Pictures
import TestSupport
import Testing

@Suite("Pictures")
struct PictureTests {
    /// A head of 40×50×30 voxels in RAS: the left half dark, the right half bright; a region at the front left.
    static let grid = VoxelGrid(nx: 40, ny: 50, nz: 30, affine: .translation(SIMD3(-20, -25, -15)))

    static func image() -> (volume: Volume, labels: LabelMap) {
        var volume = Volume(grid: grid)
        var labels = LabelMap(grid: grid)
        for k in 0..<30 {
            for j in 0..<50 {
                for i in 0..<40 {
                    volume[i, j, k] = i < 20 ? 10 : 100
                    if (5..<12).contains(i) && (35..<45).contains(j) && (8..<22).contains(k) {
                        labels.values[grid.index(i, j, k)] = 3
                    }
                }
            }
        }
        return (volume, labels)
    }

    /// The same content stored along other axes and directions.
    static func restored(_ volume: Volume, _ labels: LabelMap) -> (Volume, LabelMap) {
        // Stored as (up reversed, right reversed, front).
        let other = VoxelGrid(
            nx: 30, ny: 40, nz: 50,
            affine: Affine([0, -1, 0, 19], [0, 0, 1, -25], [-1, 0, 0, 14]))
        var (v, l) = (Volume(grid: other), LabelMap(grid: other))
        for k in 0..<30 {
            for j in 0..<50 {
                for i in 0..<40 {
                    let to = other.index(29 - k, 39 - i, j)
                    v.values[to] = volume[i, j, k]
                    l.values[to] = labels.values[grid.index(i, j, k)]
                }
            }
        }
        return (v, l)
    }

    static var mosaic: Mosaic {
        var mosaic = Mosaic()
        mosaic.window = .range(0...110)
        mosaic.columns = 3
        mosaic.widthPixels = 300
        mosaic.marginMillimetres = 100
        return mosaic
    }

    @Test func storageOrderDoesNotShow() throws {
        let (volume, labels) = Self.image()
        let (other, otherLabels) = Self.restored(volume, labels)
        let a = try Self.mosaic.picture(of: volume, labels: labels)
        let b = try Self.mosaic.picture(of: other, labels: otherLabels)
        #expect(a == b)
        #expect(a.width == 300)
    }

    @Test func rightIsOnTheLeftAndFrontIsUp() throws {
        let (volume, labels) = Self.image()
        var mosaic = Self.mosaic
        (mosaic.planes, mosaic.columns, mosaic.widthPixels) = ([.axial], 1, 100)
        let picture = try mosaic.picture(of: volume, labels: labels)
        // Bright (right) on the left half, dark on the right half.
        let row = picture.height / 2
        #expect(picture[30, row + 20].red > 200 && picture[80, row + 20].red < 60)
        // The outline lies at the front, on the left of the body: top right of the picture.
        let colour = Palette.colour(3)
        var outline: [(x: Int, y: Int)] = []
        for y in 0..<picture.height {
            for x in 0..<picture.width where picture[x, y] == colour { outline.append((x, y)) }
        }
        #expect(!outline.isEmpty)
        #expect(outline.allSatisfy { $0.x > picture.width / 2 && $0.y < picture.height / 2 })
    }

    @Test func largeRegionsAreNotOutlinedUnlessAsked() throws {
        let (volume, labels) = Self.image()
        var mosaic = Self.mosaic
        mosaic.largestOutlineMillilitres = 0.5
        let without = try mosaic.picture(of: volume, labels: labels)
        #expect(without == (try mosaic.picture(of: volume)))
        mosaic.largestOutlineMillilitres = nil
        #expect(try mosaic.picture(of: volume, labels: labels) != without)
    }

    @Test func imagesOfOtherGridsAreRefused() {
        let (volume, _) = Self.image()
        let mask = Mask(grid: VoxelGrid(nx: 40, ny: 50, nz: 29, affine: Self.grid.affine))
        #expect(throws: GridError.self) { try Self.mosaic.picture(of: volume, mask: mask) }
    }

    @Test func valuesThatAreNotFiniteAreBlackAndHarmless() throws {
        var (volume, _) = Self.image()
        for index in 0..<1000 { volume.values[index * 7] = index % 2 == 0 ? .nan : .infinity }
        let picture = try Self.mosaic.picture(of: volume)
        #expect(picture.width == 300)
    }

    /// Signature, size, colour type, and checksums of all chunks.
    @Test(arguments: [false, true])
    func pngIsWellFormed(coloured: Bool) throws {
        var picture = Picture(width: 37, height: 11, background: .grey(40))
        picture[36, 10] = coloured ? Colour(1, 2, 3) : .grey(200)
        let bytes = try PNG.encode(picture)
        #expect(bytes.prefix(8) == [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
        func word(_ at: Int) -> Int { (0..<4).reduce(0) { $0 << 8 | Int(bytes[at + $1]) } }
        var at = 8
        var kinds: [String] = []
        while at < bytes.count {
            let length = word(at)
            let kind = String(decoding: bytes[at + 4..<at + 8], as: UTF8.self)
            kinds.append(kind)
            if kind == "IHDR" {
                #expect(word(at + 8) == 37 && word(at + 12) == 11)
                #expect(bytes[at + 16] == 8 && bytes[at + 17] == (coloured ? 2 : 0))
            }
            var crc: UInt32 = .max
            for byte in bytes[at + 4..<at + 8 + length] {
                crc ^= UInt32(byte)
                for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
            }
            #expect(Int(~crc) == word(at + 8 + length), "checksum of \(kind)")
            at += 12 + length
        }
        #expect(kinds.first == "IHDR" && kinds.last == "IEND" && kinds.contains("IDAT"))
        #expect(try PNG.encode(picture) == bytes)
    }

    @Test func coloursAreParsed() {
        #expect(Colour(hex: "#0a80FF") == Colour(10, 128, 255))
        for bad in ["0a80ff", "#0a80f", "#0a80fg", ""] { #expect(Colour(hex: bad) == nil, "\(bad)") }
        #expect(Palette.colour(1, pairs: true) == Palette.colour(2, pairs: true))
        #expect(Palette.colour(1) != Palette.colour(2))
    }
}
