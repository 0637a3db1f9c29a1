import Kernels
import Networks
import Workflow

/// A network as the parameters of `network.train` describe it, and what its card calls it.
struct NetworkArchitecture {
    let network: Network
    let name: String
    /// Of networks with a second, global image.
    var globalScale: Int?

    /// - Parameter outputs: logits per voxel.
    static func segmentation(_ parameters: TrainingParameters, outputs: Int) throws -> NetworkArchitecture {
        let environment = parameters.environment
        let channels = parameters.channels.count
        let isBatchNormalised = parameters.network == .dbresunet || parameters.network == .deepmir
        let normalisation: UNet.Normalisation =
            switch environment.text("normalisation") {
            case "none": .none
            case "batch": .batch
            case "instance": .instance
            case "group": .group(groups: environment.integer("groups"))
            default: isBatchNormalised ? .batch : .instance
            }
        let upsampling = UNet.Upsampling(rawValue: environment.text("upsampling"))!
        let given = try environment.settings.trainingWidths()

        if parameters.network == .dbresunet {
            var net = DoubleBranchUNet(inputChannels: channels, outputChannels: outputs)
            if let given { net.widths = given }
            net.scale = environment.integer("global_scale")
            (net.normalisation, net.upsampling) = (normalisation, upsampling)
            net.dropout = try dropout(environment, levels: net.widths.count)
            return NetworkArchitecture(
                network: try net.network(),
                name: "double-branch residual U-Net, 3-D, \(text(net.widths)), global voxels ×\(net.scale)",
                globalScale: net.scale)
        }
        var net =
            parameters.network == .deepmir
            ? UNet.deepMIR(inputChannels: channels, classes: outputs)
            : UNet(
                rank: parameters.rank, inputChannels: channels, outputChannels: outputs,
                widths: [16, 32, 64, 128, 256])
        if let given { net.widths = given }
        net.block = parameters.network == .resunet ? .residual : .plain
        (net.normalisation, net.upsampling) = (normalisation, upsampling)
        net.dropout = try dropout(environment, levels: net.widths.count)
        net.headActivation = environment.text("head_activation") == "relu" ? .relu : nil
        let kind =
            switch parameters.network {
            case .deepmir: "DEEPMIR U-Net"
            case .resunet: "residual U-Net"
            default: "U-Net"
            }
        return NetworkArchitecture(network: try net.network(), name: "\(kind), \(net.rank)-D, \(text(net.widths))")
    }

    /// - Parameters:
    ///   - classes: to be told apart.
    ///   - features: numbers beside the image.
    static func classification(
        _ parameters: TrainingParameters, classes: Int, features: Int
    ) throws -> NetworkArchitecture {
        let environment = parameters.environment
        let channels = parameters.channels.count
        let given = try environment.settings.trainingWidths()
        // The published sizes go without saying.
        let size = given.map { ", \(text($0))" } ?? ""
        switch parameters.network {
        case .qsmrim:
            var net = QSMRimNet()
            if let given { net.widths = given }
            (net.imageChannels, net.radiomicFeatures) = (channels, features)
            net.fusion = QSMRimNet.Fusion(rawValue: environment.text("fusion"))!
            net.smoteIncludesSelf = environment.boolean("smote_includes_self")
            return NetworkArchitecture(
                network: try net.network(), name: "QSMRim-Net, 3-D\(size), \(features) features, \(net.fusion.rawValue)"
            )
        case .slices:
            var net = SliceSequenceNetwork(inputChannels: channels)
            if let given { net.widths = given }
            return NetworkArchitecture(
                network: try net.network(), name: "slice network with bidirectional LSTM, \(text(net.widths))")
        default:
            var net =
                given.map { ResidualNetwork.resNet18(inputChannels: channels, widths: $0) }
                ?? .resNet18(inputChannels: channels)
            net.rank = parameters.rank
            return NetworkArchitecture(
                network: try net.classifier(outputs: classes), name: "ResNet-18, \(net.rank)-D\(size)")
        }
    }

    private static func dropout(_ environment: TaskEnvironment, levels: Int) throws -> [Float] {
        try environment.settings.trainingDropout(levels: levels).map { Float($0) }
    }

    private static func text(_ widths: [Int]) -> String { widths.map(String.init).joined(separator: "-") }
}
