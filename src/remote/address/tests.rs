use super::*;

fn parsed(text: &str) -> Address {
    Address::parse_in(text, &|_| None).unwrap()
}

fn refused(text: &str) -> NoAddress {
    Address::parse_in(text, &|_| None).unwrap_err()
}

fn bucket_of(text: &str) -> Bucket {
    let Address::S3(bucket) = parsed(text) else {
        panic!("{text}");
    };
    bucket
}

#[test]
fn a_folder_is_a_path_or_a_file_url() {
    for text in ["/mnt/share", "file:///mnt/share"] {
        assert_eq!(parsed(text), Address::Folder("/mnt/share".into()), "{text}");
    }
    let Address::Folder(path) = parsed("share") else {
        panic!("a folder");
    };
    assert!(path.is_absolute() && path.ends_with("share"));
    assert_eq!(refused(""), NoAddress::Incomplete);
    assert_eq!(refused("file://elsewhere/share"), NoAddress::Incomplete);
}

#[test]
fn a_bucket_is_at_aws_unless_there_is_an_endpoint() {
    let bucket = bucket_of("s3://keys/ann/one/?region=eu-west-1");
    assert_eq!((bucket.name(), bucket.prefix()), ("keys", "ann/one"));
    assert_eq!(bucket.endpoint().as_str(), "https://s3.eu-west-1.amazonaws.com/");
    let bucket = bucket_of("s3://keys?endpoint=https://s3.example.org:3900");
    assert_eq!((bucket.prefix(), bucket.region()), ("", "us-east-1"));
    assert_eq!(bucket.endpoint().as_str(), "https://s3.example.org:3900/");
}

#[test]
fn what_the_environment_says_becomes_part_of_the_address() {
    let variable = |name: &str| match name {
        "AWS_REGION" => Some("garage".to_owned()),
        "AWS_ENDPOINT_URL" => Some("http://127.0.0.1:3900".to_owned()),
        _ => None,
    };
    let address = Address::parse_in("s3://keys", &variable).unwrap();
    let shown = address.to_string();
    assert_eq!(
        shown,
        "s3://keys?endpoint=http%3A%2F%2F127.0.0.1%3A3900&region=garage"
    );
    assert_eq!(parsed(&shown), address);
}

#[test]
fn what_is_shown_can_be_parsed_again() {
    for text in [
        "/mnt/share",
        "s3://keys/ann?endpoint=https%3A%2F%2Fs3.example.org&region=garage",
        "s3://keys?endpoint=http%3A%2F%2Fs3.example.org&region=garage&unencrypted=yes",
        "webdavs://cloud.example.org/remote.php/dav/files/ann/my%20keys",
        "webdav://[::1]:8080/keys",
        "webdav://nas.example.org/keys?unencrypted=yes",
    ] {
        assert_eq!(parsed(text).to_string(), text);
    }
    assert_eq!(parsed("davs://host/keys").to_string(), "webdavs://host/keys");
}

#[test]
fn nothing_leaves_this_computer_unencrypted_by_accident() {
    for host in [
        "s3.example.org",
        "10.0.0.1",
        "localhost.example.org",
        "[2001:db8::1]",
    ] {
        let bucket = format!("s3://keys?endpoint=http://{host}");
        assert_eq!(refused(&bucket), NoAddress::Unencrypted);
        assert_eq!(refused(&format!("webdav://{host}/keys")), NoAddress::Unencrypted);
        parsed(&format!("{bucket}&unencrypted=yes"));
        parsed(&format!("webdav://{host}/keys?unencrypted=yes"));
    }
    for host in ["localhost", "127.0.0.1:9000", "127.3.2.1", "[::1]:80"] {
        parsed(&format!("s3://keys?endpoint=http://{host}"));
        parsed(&format!("webdav://{host}/keys"));
    }
}

#[test]
fn secrets_do_not_belong_into_an_address() {
    for text in [
        "webdavs://ann:secret@host/keys",
        "webdavs://ann@host/keys",
        "s3://id:secret@keys",
        "s3://keys?endpoint=https://id:secret@host",
    ] {
        let error = refused(text);
        assert_eq!(error, NoAddress::Password, "{text}");
        assert!(!error.to_string().contains("secret"));
    }
}

#[test]
fn what_is_not_understood_is_refused() {
    for text in [
        "s3://",
        "s3:///ann",
        "s3://keys:80/ann",
        "s3://keys/a/../b?endpoint=https://",
        "s3://keys/a%2fb",
        "s3://keys?region=a/b",
        "s3://keys?endpoint=ftp://host",
        "s3://keys#part",
        "webdavs://",
        "s3://keys?endpoint=https://host/?a=b",
    ] {
        assert_eq!(refused(text), NoAddress::Incomplete, "{text}");
    }
    assert_eq!(
        refused("https://host/keys"),
        NoAddress::UnknownScheme("https".to_owned())
    );
    assert_eq!(
        refused("s3://keys?secret=1"),
        NoAddress::UnknownOption("secret".to_owned())
    );
    assert_eq!(
        refused("webdavs://host?a=1"),
        NoAddress::UnknownOption("a".to_owned())
    );
}
