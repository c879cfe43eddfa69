//! Which capture devices there are, and which one a name means.
//!
//! A *host* is one way into the sound system: ALSA on Linux, which reaches sound servers by its plugins, and, in a build with the
//! feature `pulseaudio`, the PulseAudio protocol itself. An id names its host: `alsa:default`.

use cpal::HostId;
use cpal::traits::{DeviceTrait, HostTrait};

use super::AudioError;
use super::alsa_messages::with_messages_logged;

/// One capture device, as the sound system describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// What to write into a configuration: stays the same over restarts, as in `alsa:plughw:CARD=1,DEV=0`.
    pub id: String,
    /// For people.
    pub name: String,
    /// Whether it is taken when no device is named.
    pub is_default: bool,
    /// Ranges of rates in samples a second, both ends included, in rising order.
    pub rates: Vec<(u32, u32)>,
    /// Numbers of channels, in rising order.
    pub channels: Vec<u16>,
    /// Names of sample formats.
    pub sample_formats: Vec<String>,
    /// Why the formats could not be found out, or that there are none.
    pub note: Option<String>,
}

/// Lists the capture devices with what they support, the default one first, then those of other hosts. A device that cannot be asked is listed
/// with a note. Opens each device for a moment; what ALSA's own library says about that goes to the log.
///
/// # Errors
/// When the sound system itself cannot be reached.
pub fn list_devices() -> Result<Vec<DeviceInfo>, AudioError> {
    with_messages_logged(list)
}

fn list() -> Result<Vec<DeviceInfo>, AudioError> {
    let own = open_host(None)?;
    let mut devices: Vec<_> = capture_devices(&own)?.iter().map(describe).collect();
    // Those are a choice besides: that one of them is out of reach is no error.
    let others = cpal::available_hosts().into_iter().filter(|&id| id != own.id());
    for host in others.filter_map(|id| cpal::host_from_id(id).ok()) {
        let further = capture_devices(&host).unwrap_or_default();
        devices.extend(further.iter().map(|device| DeviceInfo { is_default: false, ..describe(device) }));
    }
    Ok(devices)
}

/// A device with its names.
pub(super) struct NamedDevice {
    pub(super) device: cpal::Device,
    pub(super) id: String,
    name: String,
    is_default: bool,
}

impl NamedDevice {
    /// None for a device without an id, which nobody could ask for.
    fn new(device: cpal::Device, is_default: bool) -> Option<Self> {
        let id = device.id().ok()?.to_string();
        let name = device.description().map_or_else(|_| id.clone(), |description| description.name().to_owned());
        Some(Self { device, id, name, is_default })
    }
}

/// Hosts that are taken only when they are named: the platform's own reaches the same microphones.
const NAMED_ONLY: [&str; 3] = ["jack", "pipewire", "pulseaudio"];

/// A host by name, or this platform's own; asked anew each time, as devices come and go.
fn open_host(name: Option<&str>) -> Result<cpal::Host, AudioError> {
    let is_own = |id: &HostId| !NAMED_ONLY.contains(&id.to_string().as_str());
    let id = match name {
        None => cpal::ALL_HOSTS.iter().copied().find(is_own),
        Some(name) => Some(host_id(name).ok_or_else(|| {
            let names: Vec<_> = cpal::ALL_HOSTS.iter().map(ToString::to_string).collect();
            AudioError::UnknownHost { wanted: name.to_owned(), choices: names.join(", ") }
        })?),
    };
    let Some(id) = id else {
        return Err(AudioError::NoSoundSystem { reason: "this build has none for this system".to_owned() });
    };
    cpal::host_from_id(id).map_err(|error| AudioError::NoSoundSystem { reason: reason(&error) })
}

fn host_id(name: &str) -> Option<HostId> {
    cpal::ALL_HOSTS.iter().copied().find(|id| id.to_string() == name)
}

/// The device for a wish: `None` is the default one, a text is an id, a name, or a part of either that only one device has. It is
/// looked for in `host`, unless it is an id of another.
pub(super) fn find_device(wanted: Option<&str>, host: Option<&str>) -> Result<NamedDevice, AudioError> {
    let Some(wanted) = wanted else {
        let default = open_host(host)?.default_input_device().and_then(|device| NamedDevice::new(device, true));
        return default
            .ok_or_else(|| AudioError::NoMicrophone { reason: "the sound system names no default".to_owned() });
    };
    let named = wanted.split_once(':').and_then(|(name, _)| host_id(name)).map(|id| id.to_string());
    let mut devices = capture_devices(&open_host(named.as_deref().or(host))?)?;
    let names: Vec<_> = devices.iter().map(|device| (device.id.as_str(), device.name.as_str())).collect();
    let device_idx = choose(wanted, &names)?;
    Ok(devices.swap_remove(device_idx))
}

fn capture_devices(host: &cpal::Host) -> Result<Vec<NamedDevice>, AudioError> {
    let default_input = host.default_input_device();
    let default_id = default_input.as_ref().and_then(|device| device.id().ok());
    let all = host.input_devices().map_err(|error| AudioError::NoSoundSystem { reason: reason(&error) })?;
    let mut devices: Vec<NamedDevice> = Vec::new();
    // The default may be an alias that the system does not list.
    for device in default_input.into_iter().chain(all) {
        let is_default = device.id().ok() == default_id;
        let Some(named) = NamedDevice::new(device, is_default) else { continue };
        if devices.iter().all(|known| known.id != named.id) {
            devices.push(named);
        }
    }
    Ok(devices)
}

fn describe(named: &NamedDevice) -> DeviceInfo {
    let mut info = DeviceInfo {
        id: named.id.clone(),
        name: named.name.clone(),
        is_default: named.is_default,
        rates: Vec::new(),
        channels: Vec::new(),
        sample_formats: Vec::new(),
        note: None,
    };
    let configs = match named.device.supported_input_configs() {
        Ok(configs) => configs,
        Err(error) => {
            info.note = Some(format!("cannot be opened now: {}", reason(&error)));
            return info;
        }
    };
    for config in configs {
        push_new(&mut info.rates, (config.min_sample_rate(), config.max_sample_rate()));
        push_new(&mut info.channels, config.channels());
        push_new(&mut info.sample_formats, config.sample_format().to_string());
    }
    info.rates.sort_unstable();
    info.channels.sort_unstable();
    if info.rates.is_empty() {
        info.note = Some("offers no format to record in".to_owned());
    }
    info
}

/// What the sound system says, as a part of a sentence: it speaks in sentences of its own.
pub(super) fn reason(error: &cpal::Error) -> String {
    let text = error.to_string();
    let text = text.trim_end_matches('.').replace(". It ", ", it ").replace(". ", "; ");
    match text.strip_prefix("The ") {
        Some(rest) => format!("the {rest}"),
        None => text,
    }
}

fn push_new<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}

/// The index of the one device that `wanted` means, among pairs of id and name.
fn choose(wanted: &str, names: &[(&str, &str)]) -> Result<usize, AudioError> {
    let exact_id = |&(id, _): &(&str, &str)| id == wanted || id.split_once(':').is_some_and(|(_, rest)| rest == wanted);
    if let Some(device_idx) = names.iter().position(exact_id) {
        return Ok(device_idx);
    }
    let lower = wanted.to_lowercase();
    let is_part =
        |&(id, name): &(&str, &str)| id.to_lowercase().contains(&lower) || name.to_lowercase().contains(&lower);
    // Several devices may bear the same name: a card and its converting twin do.
    for fits in [&(|&(_, name): &(&str, &str)| name == wanted) as &dyn Fn(&(&str, &str)) -> bool, &is_part] {
        let found: Vec<usize> = (0..names.len()).filter(|&device_idx| fits(&names[device_idx])).collect();
        match found[..] {
            [] => {}
            [device_idx] => return Ok(device_idx),
            _ => {
                let choices = listed(found.iter().map(|&device_idx| names[device_idx]));
                return Err(AudioError::AmbiguousDevice { wanted: wanted.to_owned(), choices });
            }
        }
    }
    Err(AudioError::UnknownDevice { wanted: wanted.to_owned(), choices: listed(names.iter().copied()) })
}

fn listed<'a>(names: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let list: Vec<String> = names.map(|(id, name)| format!("{id} ({name})")).collect();
    if list.is_empty() { "none".to_owned() } else { list.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [(&str, &str); 4] = [
        ("alsa:default", "Default Audio Device"),
        ("alsa:hw:CARD=1,DEV=0", "USB Mic, USB Audio"),
        ("alsa:plughw:CARD=1,DEV=0", "USB Mic, USB Audio"),
        ("alsa:wavmic", "test mic"),
    ];

    #[test]
    fn ids_names_and_parts_of_them_find_a_device() {
        for (wanted, device_idx) in [
            ("alsa:default", 0),
            ("default", 0),
            ("hw:CARD=1,DEV=0", 1),
            ("alsa:plughw:CARD=1,DEV=0", 2),
            ("test mic", 3),
            ("WAVM", 3),
            ("plug", 2),
        ] {
            assert_eq!(choose(wanted, &NAMES).unwrap(), device_idx, "{wanted}");
        }
    }

    #[test]
    fn more_than_one_match_is_told_apart_by_id() {
        let message = choose("usb", &NAMES).unwrap_err().to_string();
        assert!(message.contains("alsa:hw:CARD=1,DEV=0") && message.contains("alsa:plughw:CARD=1,DEV=0"), "{message}");
        assert!(!message.contains("wavmic"), "{message}");
        assert!(matches!(choose("USB Mic, USB Audio", &NAMES), Err(AudioError::AmbiguousDevice { .. })));
    }

    #[test]
    fn reasons_fit_into_a_sentence() {
        let error = cpal::Error::new(cpal::ErrorKind::DeviceNotAvailable);
        let expected = "the requested audio device is not available, it may have been disconnected";
        assert_eq!(reason(&error), expected);
    }

    #[test]
    fn an_unknown_device_lists_the_choices() {
        let message = choose("webcam", &NAMES).unwrap_err().to_string();
        assert!(message.contains("'webcam'") && message.contains("alsa:wavmic (test mic)"), "{message}");
        assert!(choose("webcam", &[]).unwrap_err().to_string().contains("there are: none"));
    }
}
