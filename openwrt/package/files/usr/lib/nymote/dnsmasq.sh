# shellcheck shell=sh
# Tells dnsmasq to ask nymote for one zone, and takes exactly that back.
#
# Every value we add to a list of a dnsmasq section is noted in a list beside it, nymote_server or
# nymote_rebind_domain. Only noted values are ever taken out: what was there before, or came from
# somebody else, stays. Sourced by the init script, by uci-defaults and at removal.

# Reads /etc/config/nymote and makes dnsmasq's configuration fit it.
nymote_dnsmasq_apply() {
	nymote_zone="$(uci -q get nymote.main.apex)"
	if [ -z "$nymote_zone" ]; then
		nymote_zone="$(uci -q get nymote.main.user)"
		nymote_zone="${nymote_zone:+$nymote_zone.nymote}"
	fi
	nymote_port="$(uci -q get nymote.main.forwarded_port)"
	case "$(uci -q get nymote.main.enabled)" in
	0 | off | false | no | disabled) nymote_zone= ;;
	esac
	[ "$(uci -q get nymote.main.dnsmasq)" = off ] && nymote_zone=
	nymote_dnsmasq_set "$nymote_zone" "${nymote_port:-5301}"
}

# Takes out whatever we added.
nymote_dnsmasq_undo() {
	nymote_dnsmasq_set '' ''
}

# <zone or nothing> <port>
nymote_dnsmasq_set() {
	nymote_changed=
	for nymote_section in $(uci -q -X show dhcp | sed -n 's/^dhcp\.\([^.=]*\)=dnsmasq$/\1/p'); do
		nymote_dnsmasq_keep "$nymote_section" server "${1:+/$1/127.0.0.1#$2}"
		# dnsmasq drops private addresses in answers (--stop-dns-rebind) but for these zones.
		nymote_dnsmasq_keep "$nymote_section" rebind_domain "$1"
	done
	[ -n "$nymote_changed" ] || return 0
	uci commit dhcp
	nymote_init="${NYMOTE_DNSMASQ_INIT:-/etc/init.d/dnsmasq}"
	if [ -x "$nymote_init" ] && "$nymote_init" running; then
		"$nymote_init" restart
	fi
}

# <section> <list> <value or nothing>: makes the value our only one in the list.
nymote_dnsmasq_keep() {
	for nymote_value in $(uci -q get "dhcp.$1.nymote_$2"); do
		[ "$nymote_value" = "$3" ] && continue
		uci del_list "dhcp.$1.$2=$nymote_value"
		uci del_list "dhcp.$1.nymote_$2=$nymote_value"
		nymote_changed=1
	done
	[ -n "$3" ] || return 0
	nymote_dnsmasq_has "$1" "$2" "$3" && return 0
	uci add_list "dhcp.$1.$2=$3"
	nymote_dnsmasq_has "$1" "nymote_$2" "$3" || uci add_list "dhcp.$1.nymote_$2=$3"
	nymote_changed=1
}

# <section> <list> <value>
nymote_dnsmasq_has() {
	case " $(uci -q get "dhcp.$1.$2") " in
	*" $3 "*) return 0 ;;
	esac
	return 1
}
