"""What tools send by themselves: syslog over UDP, TCP and TLS, HTTP, standard input. Journalled before it is read."""
